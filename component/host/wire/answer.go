package wire

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strings"

	"mellium.im/xmlstream"
	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"

	"xtokend/internal/element"
)

// Result answers an IQ request with payload, which may be nil, on behalf of whom
// it was sent to.
func (s *Stanza) Result(payload []byte) []byte {
	return FromIQ(stanza.IQ{ID: s.ID, From: s.To, To: s.From, Type: stanza.ResultIQ}, payload)
}

// Error answers a stanza with an error on behalf of whom it was sent to. It is
// nil where there is nothing to say: an error or a result is never answered with
// an error (RFC 6120 §8.3.1). conditions are elements that say more in the terms of
// an extension (§8.3.4).
func (s *Stanza) Error(e stanza.Error, conditions ...[]byte) []byte {
	if s.Type == string(stanza.ErrorIQ) || s.Name == IQ && s.Type == string(stanza.ResultIQ) {
		return nil
	}
	return s.error(s.To, e, conditions...)
}

// Refuse is Error for a stanza that is not well-formed enough to have addresses:
// the answer comes from the server itself.
func (s *Stanza) Refuse(e stanza.Error) []byte { return s.error(jid.JID{}, e) }

func (s *Stanza) error(from jid.JID, e stanza.Error, conditions ...[]byte) []byte {
	return frame(s.Name, s.ID, from, s.From, string(stanza.ErrorIQ), Append(Marshal(e), conditions...))
}

// Fail is a stanza error of that condition, of the type that goes with it (RFC
// 6120 §8.3.3).
func Fail(c stanza.Condition) stanza.Error {
	kind := stanza.Cancel
	switch c {
	case stanza.BadRequest, stanza.JIDMalformed, stanza.NotAcceptable, stanza.PolicyViolation:
		kind = stanza.Modify
	case stanza.Forbidden, stanza.NotAuthorized, stanza.RegistrationRequired, stanza.SubscriptionRequired:
		kind = stanza.Auth
	case stanza.ResourceConstraint, stanza.RecipientUnavailable, stanza.RemoteServerTimeout:
		kind = stanza.Wait
	}
	return stanza.Error{Type: kind, Condition: c}
}

// FromIQ is an IQ around payload, which may be nil.
func FromIQ(iq stanza.IQ, payload []byte) []byte {
	return frame(IQ, iq.ID, iq.From, iq.To, string(iq.Type), payload)
}

// FromMessage is a message around payload, which may be nil.
func FromMessage(m stanza.Message, payload []byte) []byte {
	return frame(Message, m.ID, m.From, m.To, string(m.Type), payload)
}

// FromPresence is a presence around payload, which may be nil.
func FromPresence(p stanza.Presence, payload []byte) []byte {
	return frame(Presence, p.ID, p.From, p.To, string(p.Type), payload)
}

func frame(name, id string, from, to jid.JID, kind string, payload []byte) []byte {
	b := make([]byte, 0, len(payload)+256)
	b = append(append(b, '<'), name...)
	b = appendAttribute(b, " type='", kind)
	b = appendAttribute(b, " id='", id)
	b = appendAddress(b, " from='", from)
	b = appendAddress(b, " to='", to)
	if len(payload) == 0 {
		return append(b, "/>"...)
	}
	b = append(append(b, '>'), payload...)
	b = append(append(b, "</"...), name...)
	return append(b, '>')
}

// Marshal writes v, an [xml.TokenReader] or what [xml.Marshal] takes, as bytes.
// It panics if v cannot be written, since the program made it.
func Marshal(v any) []byte {
	var b bytes.Buffer
	e := xml.NewEncoder(&b)
	var err error
	if r, ok := v.(interface{ TokenReader() xml.TokenReader }); ok {
		_, err = xmlstream.Copy(e, r.TokenReader())
	} else if r, ok := v.(xml.TokenReader); ok {
		_, err = xmlstream.Copy(e, r)
	} else {
		err = e.Encode(v)
	}
	if err == nil {
		err = e.Flush()
	}
	if err != nil {
		panic(fmt.Sprintf("wire: %T cannot be written: %v", v, err))
	}
	return b.Bytes()
}

func appendAttribute(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	b = append(b, name...)
	if strings.ContainsAny(value, `<>&'"`+"\t\r\n") {
		value = element.Escape(value)
	}
	b = append(b, value...)
	return append(b, '\'')
}
