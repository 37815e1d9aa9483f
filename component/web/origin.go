package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

// AnyOrigin among the allowed origins allows all of them.
const AnyOrigin = "*"

// preflightMaxAge is how long, in seconds, a browser may keep the answer to a
// preflight request. Browsers have bounds of their own, two hours and more.
const preflightMaxAge = "7200"

// ParseOrigin returns the normal form of a serialized origin (RFC 6454 §6.2),
// scheme://host[:port], as browsers send it: in lower case, the host in its
// ASCII form, without the scheme's default port. Its errors say what is wrong
// with text, which they do not repeat.
func ParseOrigin(text string) (string, error) {
	if text == "null" {
		return "", errors.New("is the origin of every local file and every sandboxed frame, and tells none of them apart")
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme == "" || u.Host == "":
		return "", errors.New("is not an origin")
	case strings.Contains(u.Host, "*"):
		return "", errors.New("has a wildcard: each origin must be listed")
	case u.User != nil || u.Path != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.HasSuffix(text, "#"):
		return "", errors.New("has more than scheme, host and port")
	}
	return originOf(u.Scheme, u.Host)
}

// originOf returns the normal form of the origin of a scheme, in lower case, and
// of a host with or without a port, as a Host header has it.
func originOf(scheme, authority string) (string, error) {
	u, err := url.Parse("//" + authority)
	if err != nil || u.Host != authority {
		return "", errors.New("has no valid host")
	}
	host, err := normalHost(u.Hostname())
	if err != nil {
		return "", err
	}
	port := u.Port()
	if number, err := strconv.ParseUint(port, 10, 16); port != "" && (err != nil || number == 0) {
		return "", errors.New("has no valid port")
	} else if port != "" {
		port = strconv.FormatUint(number, 10)
	}
	if strings.HasSuffix(authority, ":") {
		return "", errors.New("has no port behind the colon")
	}
	if scheme == "https" && port == "443" || scheme == "http" && port == "80" {
		port = ""
	}
	if port != "" {
		host += ":" + port
	}
	return scheme + "://" + host, nil
}

// normalHost returns the form of a host in which two that are the same are equal.
func normalHost(host string) (string, error) {
	switch {
	case host == "":
		return "", errors.New("has no host")
	case strings.Contains(host, ":"):
		address, err := netip.ParseAddr(host)
		if err != nil || address.Zone() != "" {
			return "", errors.New("has no valid host")
		}
		return "[" + address.String() + "]", nil
	}
	ascii, err := hostProfile.ToASCII(host)
	// Some characters are mapped to nothing, or to a space.
	if err != nil || ascii == "" || strings.ContainsFunc(ascii, isNoHostCharacter) {
		return "", errors.New("has no valid host")
	}
	// What is mapped to something else a second time is the name of no host.
	if again, err := hostProfile.ToASCII(ascii); err != nil || again != ascii {
		return "", errors.New("has no valid host")
	}
	return ascii, nil
}

func isNoHostCharacter(r rune) bool {
	return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789-._", r)
}

// hostProfile maps names as browsers do, which take an underscore.
var hostProfile = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.StrictDomainName(false))

// origins decides which pages may speak to us. The Origin header is the
// browser's own word about the page (RFC 6454 §7): a script cannot change it,
// and what is no browser does not need it.
type origins struct {
	any     bool
	allowed map[string]bool // normal forms; none: the same origin
}

// newOrigins takes what [ParseOrigin] takes, or [AnyOrigin].
func newOrigins(list []string) (origins, error) {
	o := origins{allowed: make(map[string]bool, len(list))}
	for _, text := range list {
		if text == AnyOrigin {
			o.any = true
			continue
		}
		origin, err := ParseOrigin(text)
		if err != nil {
			return origins{}, fmt.Errorf("web: allowed origin %q %w", text, err)
		}
		o.allowed[origin] = true
	}
	return o, nil
}

// allows reports whether r comes from an allowed page, or from no page at all.
// secure says whether the client's connection is encrypted: so it knows the
// scheme of our own origin.
func (o *origins) allows(r *http.Request, secure bool) bool {
	values := r.Header.Values("Origin")
	if len(values) == 0 {
		return true
	}
	if o.any {
		return true
	}
	if len(values) != 1 {
		return false
	}
	origin, err := ParseOrigin(values[0])
	if err != nil {
		return false
	}
	if len(o.allowed) > 0 {
		return o.allowed[origin]
	}
	return origin == ownOrigin(r, secure)
}

// ownOrigin is the origin that a page has which the client got from the address to
// which it has sent r; "" if it has sent rubbish.
func ownOrigin(r *http.Request, secure bool) string {
	scheme := "http"
	if secure {
		scheme = "https"
	}
	ours, err := originOf(scheme, r.Host)
	if err != nil {
		return ""
	}
	return ours
}

// loggedOrigin is the page's origin for the log, unless it is rubbish.
func loggedOrigin(r *http.Request) string {
	origin, err := ParseOrigin(r.Header.Get("Origin"))
	if err != nil {
		return "unknown"
	}
	return origin
}

// share writes the headers that let an allowed page read the answer to r and
// send requests with one of methods, and never with cookies. If r is a preflight
// request or comes from a page that is not allowed, it writes the whole answer
// and returns false.
func (o *origins) share(w http.ResponseWriter, r *http.Request, secure bool, methods string) bool {
	header := w.Header()
	// Also without an Origin: a cache must not give that answer to a page.
	header.Add("Vary", "Origin")
	if !o.allows(r, secure) {
		text := "pages of this origin may not connect (allowed_origins)"
		if len(o.allowed) == 0 {
			// So one sees a proxy that does not pass on the host or the protocol.
			text = fmt.Sprintf("pages of other origins than %q may not connect (allowed_origins)", ownOrigin(r, secure))
		}
		http.Error(w, text, http.StatusForbidden)
		return false
	}
	origin := r.Header.Get("Origin")
	if origin != "" {
		if o.any {
			origin = AnyOrigin
		}
		header.Set("Access-Control-Allow-Origin", origin)
	}
	if r.Method != http.MethodOptions {
		return true
	}
	header.Set("Allow", methods)
	if origin != "" {
		header.Set("Access-Control-Allow-Methods", methods)
		header.Set("Access-Control-Allow-Headers", "Content-Type")
		header.Set("Access-Control-Max-Age", preflightMaxAge)
	}
	w.WriteHeader(http.StatusNoContent)
	return false
}
