package bosh

import (
	"encoding/xml"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

const (
	nsHTTPBind = "http://jabber.org/protocol/httpbind"
	nsXBOSH    = "urn:xmpp:xbosh"
	nsXML      = "http://www.w3.org/XML/1998/namespace"
	nsStream   = "http://etherx.jabber.org/streams"
)

// MaxRID is the highest request ID (XEP-0124 §14.1): scripts count in doubles.
const MaxRID = 1<<53 - 1

// maxKeyBytes is the length of a SHA-1 hash in hexadecimal (XEP-0124 §15.2).
const maxKeyBytes = 40

// ErrBadRequest: a <body/> breaks the syntax of XEP-0124. Its peer gets the
// condition bad-request; errors that wrap it say more, for a log.
var ErrBadRequest = errors.New("bosh: bad request")

// Request is what one <body/> of a client says. Strings are the client's word.
type Request struct {
	RID uint64
	SID string // empty: the request asks for a session
	Key string // empty: absent; NewKey too
	// NewKey begins a new sequence of keys.
	NewKey string
	Ack    uint64        // zero: absent
	Pause  time.Duration // zero: absent

	Terminate bool
	Restart   bool // XEP-0206 §5

	// Of session creation; some may be in a restart too.
	Ver      *Version
	Wait     time.Duration // negative: absent
	Hold     int           // negative: absent
	To, From string
	Lang     string
	Content  string // the Content-Type that responses must have
	// XMPPVersion is that of the stream; "1.0" if absent, as the schema of
	// XEP-0206 says.
	XMPPVersion string

	// What is not in the attributes: whether the request came over an encrypted
	// connection, its payload in plain stream form, and what is wrong with the
	// rest of the payload, if anything is.
	Secure bool
	Units  [][]byte
	Fault  error
}

// Version is one of BOSH itself. Its parts are numbers of their own: 1.10 is
// later than 1.6 (XEP-0124 §7.1).
type Version struct{ Major, Minor int }

func (v Version) String() string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }

func (v Version) less(w Version) bool {
	return v.Major < w.Major || v.Major == w.Major && v.Minor < w.Minor
}

// ParseRequest reads the attributes of a <body/>, their namespaces resolved.
// The error is [ErrBadRequest]; what could be read, the SID among it, is
// returned beside it.
func ParseRequest(attrs []xml.Attr) (Request, error) {
	r := Request{Wait: -1, Hold: -1, XMPPVersion: "1.0"}
	var bad []string
	check := func(name string, ok bool) {
		if !ok {
			bad = append(bad, name)
		}
	}
	for _, a := range attrs {
		v, ok := a.Value, true
		switch a.Name {
		case xml.Name{Local: "rid"}:
			r.RID, ok = parsePositive(v, MaxRID)
		case xml.Name{Local: "sid"}:
			r.SID, ok = v, v != ""
		case xml.Name{Local: "key"}:
			r.Key, ok = v, v != "" && len(v) <= maxKeyBytes
		case xml.Name{Local: "newkey"}:
			r.NewKey, ok = v, isKey(v)
		case xml.Name{Local: "ack"}:
			r.Ack, ok = parsePositive(v, MaxRID)
		case xml.Name{Local: "pause"}:
			r.Pause, ok = parseSeconds(v)
			ok = ok && r.Pause > 0
		case xml.Name{Local: "wait"}:
			r.Wait, ok = parseSeconds(v)
		case xml.Name{Local: "hold"}:
			var n uint64
			n, ok = parseUint(v, 1<<8-1)
			r.Hold = int(n)
		case xml.Name{Local: "ver"}:
			r.Ver, ok = parseVersion(v)
		case xml.Name{Local: "type"}:
			// 'error' tells of a fault in a response (§17.2, §17.3), which is nothing
			// that a connection manager could mend.
			r.Terminate, ok = v == "terminate", v == "terminate" || v == "error"
		case xml.Name{Local: "to"}:
			r.To = v
		case xml.Name{Local: "from"}:
			r.From = v
		case xml.Name{Local: "content"}:
			r.Content = v
		case xml.Name{Space: nsXML, Local: "lang"}:
			r.Lang = v
		case xml.Name{Space: nsXBOSH, Local: "version"}:
			r.XMPPVersion = v
		case xml.Name{Space: nsXBOSH, Local: "restart"}:
			r.Restart, ok = parseBool(v)
		}
		check(a.Name.Local, ok)
	}
	check("rid", r.RID != 0)
	if len(bad) > 0 {
		return r, fmt.Errorf("%w: %s", ErrBadRequest, strings.Join(bad, ", "))
	}
	return r, nil
}

// empty says whether the request only asks for a response (XEP-0124 §11, §12).
func (r *Request) empty() bool {
	return len(r.Units) == 0 && r.Fault == nil && !r.Restart && !r.Terminate && r.Pause == 0
}

// mayExceed says whether the request may be one more than 'requests' allows
// (XEP-0124 §11).
func (r *Request) mayExceed() bool { return r.Terminate || r.Pause > 0 }

// opensSession says whether the request has the attributes of a creation
// request (XEP-0124 §7.1). A restart may have 'to' as well, so that is none.
func (r *Request) opensSession() bool {
	return !r.Restart && (r.Ver != nil || r.Wait >= 0 || r.Hold >= 0)
}

func (r *Request) bytes() int { return size(r.Units) }

// parseUint reads a number in its one canonical form, so that what is equal
// looks equal to every implementation in between.
func parseUint(s string, most uint64) (uint64, bool) {
	n, err := strconv.ParseUint(s, 10, 64)
	return n, err == nil && n <= most && strconv.FormatUint(n, 10) == s
}

func parsePositive(s string, most uint64) (uint64, bool) {
	n, ok := parseUint(s, most)
	if !ok {
		return 0, false
	}
	return n, n > 0
}

// parseSeconds reads what the schema of XEP-0124 calls an unsignedShort.
func parseSeconds(s string) (time.Duration, bool) {
	n, ok := parseUint(s, 1<<16-1)
	return time.Duration(n) * time.Second, ok
}

func parseVersion(s string) (*Version, bool) {
	major, minor, ok := strings.Cut(s, ".")
	if !ok {
		return nil, false
	}
	a, okA := parseUint(major, 1<<15)
	b, okB := parseUint(minor, 1<<15)
	return &Version{int(a), int(b)}, okA && okB
}

// parseBool reads an xs:boolean (XEP-0206 §5).
func parseBool(s string) (value, ok bool) {
	switch s {
	case "true", "1":
		return true, true
	case "false", "0":
		return false, true
	}
	return false, false
}
