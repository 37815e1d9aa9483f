// Package wire is stanzas (RFC 6120 §8) as the host reads and writes them. What
// a client wrote is kept as bytes and passed on as such, so that nothing the
// host does not know is lost; only addresses are written anew.
package wire

import (
	"bytes"
	"encoding/xml"
	"errors"
	"slices"

	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"

	"xtokend/internal/element"
	"xtokend/internal/framing"
)

// NSClient is the namespace of the stanzas of clients.
const NSClient = "jabber:client"

// The names of stanzas.
const (
	Message  = "message"
	Presence = "presence"
	IQ       = "iq"
)

var (
	// ErrNotStanza: a first-level element that is no stanza.
	ErrNotStanza = errors.New("wire: not a stanza")
	// ErrBadAddress: the address that the stanza is for is none (RFC 7622). The
	// stanza can be answered.
	ErrBadAddress = errors.New("wire: malformed address")
	// ErrBadRequest: a type or a number of children that RFC 6120 §8.2.3 or RFC
	// 6121 §4.7.1 forbids, or more than MaxDeclarations. The stanza can be answered.
	ErrBadRequest = errors.New("wire: bad request")
)

// Stanza is a stanza of a local user's. It does not change once parsed, and may
// be read by several goroutines.
type Stanza struct {
	Name     string // Message, Presence or IQ
	Type     string // of a message never empty: "normal" (RFC 6121 §5.2.2)
	ID       string
	From     jid.JID // a full JID, stamped by the host
	To       jid.JID // the zero value if absent
	Children []element.Element

	head, tail []byte // before and behind the place of the addresses
}

// MaxDeclarations is how many prefixes may be declared where a stanza begins, or an
// element in it that is taken apart; those count too that it takes along from around
// it. It is looked through for each.
const MaxDeclarations = 64

// Parse reads unit, a first-level element of the stream that h began, which came
// from the full JID from, whatever it says itself. An element or header that is
// not well-formed, or no stanza, gives an error and no stanza.
func Parse(unit []byte, h element.Header, from jid.JID) (*Stanza, error) {
	e, err := element.Parse(unit, h)
	if err != nil {
		return nil, err
	}
	if e.Name.Space != NSClient || e.Name.Local != Message && e.Name.Local != Presence && e.Name.Local != IQ {
		return nil, ErrNotStanza
	}
	s := &Stanza{Name: e.Name.Local, Type: e.AttrValue("type"), ID: e.AttrValue("id"), From: from, Children: e.Children}
	h.ContentNS = "" // it stays implied
	alone := framing.Qualify(make([]byte, 0, len(unit)), unit, h)
	declarations := 0
	if tag := alone[:element.StartTagEnd(alone)]; bytes.Contains(tag, []byte("xmlns:")) {
		scope, err := scopeOfStanza(tag)
		if err != nil {
			return nil, err
		}
		declarations = len(scope.Extra)
	}
	s.head, s.tail = cutAttributes(alone[:0], alone, "from", "to")
	if to := e.AttrValue("to"); to != "" {
		if s.To, err = jid.Parse(to); err != nil {
			return s, ErrBadAddress
		}
	}
	return s, s.check(declarations)
}

// MaxIDBytes is the longest id that a stanza may have: answers repeat it, and write
// some characters with more bytes.
const MaxIDBytes = 1024

// check judges id, type, children and how many prefixes are declared. An id that is
// too long is not repeated.
func (s *Stanza) check(declarations int) error {
	if len(s.ID) > MaxIDBytes {
		s.ID = ""
		return ErrBadRequest
	}
	if declarations > MaxDeclarations {
		return ErrBadRequest
	}
	switch s.Name {
	case Message:
		switch stanza.MessageType(s.Type) {
		case stanza.ChatMessage, stanza.GroupChatMessage, stanza.HeadlineMessage, stanza.ErrorMessage:
		default:
			s.Type = string(stanza.NormalMessage)
		}
	case Presence:
		switch stanza.PresenceType(s.Type) {
		case stanza.AvailablePresence, stanza.UnavailablePresence, stanza.SubscribePresence, stanza.SubscribedPresence,
			stanza.UnsubscribePresence, stanza.UnsubscribedPresence, stanza.ProbePresence, stanza.ErrorPresence:
		default:
			return ErrBadRequest
		}
	case IQ:
		switch stanza.IQType(s.Type) {
		case stanza.GetIQ, stanza.SetIQ:
			if s.ID == "" || len(s.Children) != 1 {
				return ErrBadRequest
			}
		case stanza.ResultIQ, stanza.ErrorIQ:
			if s.ID == "" {
				return ErrBadRequest
			}
		default:
			return ErrBadRequest
		}
	}
	return nil
}

// IsRequest says whether the stanza is an IQ that must be answered.
func (s *Stanza) IsRequest() bool {
	return s.Name == IQ && (s.Type == string(stanza.GetIQ) || s.Type == string(stanza.SetIQ))
}

// Payload is the first child, which an IQ request has alone; its zero value if
// there is none.
func (s *Stanza) Payload() element.Element {
	if len(s.Children) == 0 {
		return element.Element{}
	}
	return s.Children[0]
}

// Child returns the first child of that name.
func (s *Stanza) Child(space, local string) (element.Element, bool) {
	return element.Element{Children: s.Children}.Child(space, local)
}

// Bytes is the stanza with these addresses, a zero one left out, and extra
// elements behind its children. It stands alone but for the default namespace
// jabber:client.
func (s *Stanza) Bytes(from, to jid.JID, extra ...[]byte) []byte {
	b := make([]byte, 0, len(s.head)+len(s.tail)+256)
	b = append(b, s.head...)
	b = appendAddress(b, " from='", from)
	b = appendAddress(b, " to='", to)
	return Append(append(b, s.tail...), extra...)
}

// Append adds extra elements behind the children of e, a whole element, whose
// bytes it overwrites.
func Append(e []byte, extra ...[]byte) []byte {
	if len(extra) == 0 {
		return e
	}
	name := bytes.Clone(e[1:nameEnd(e)])
	end := bytes.LastIndex(e, []byte("</"))
	if element.StartTagEnd(e) == len(e) { // <e/>
		end = len(e) - len("/>")
		e = append(e[:end], '>')
		end++
	}
	e = e[:end]
	for _, x := range extra {
		e = append(e, x...)
	}
	e = append(append(e, "</"...), name...)
	return append(e, '>')
}

func appendAddress(b []byte, name string, address jid.JID) []byte {
	return appendAttribute(b, name, address.String())
}

// ChildBytes returns the first child of that name as an element that stands
// alone, and nil if there is none.
func (s *Stanza) ChildBytes(name xml.Name) []byte {
	whole := slices.Concat(s.head, s.tail)
	scope, err := scopeOfStanza(whole[:element.StartTagEnd(whole)])
	if err != nil { // not of what Parse took
		return nil
	}
	return child(whole, scope, name)
}

// scopeOfStanza is what holds for the children of a stanza with that start tag,
// where the namespace of stanzas is implied.
func scopeOfStanza(tag []byte) (element.Header, error) {
	return element.ParseHeader(framing.Qualify(nil, tag, element.Header{ContentNS: NSClient}))
}
