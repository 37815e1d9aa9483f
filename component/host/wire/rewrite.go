package wire

import (
	"mellium.im/xmpp/jid"

	"xtokend/internal/element"
)

// Without is the stanza without the children for which drop says so.
func (s *Stanza) Without(drop func(element.Element) bool) *Stanza {
	c := *s
	c.Children = nil
	c.tail = element.Without(s.tail, s.Children, func(e element.Element) bool {
		if drop(e) {
			return true
		}
		c.Children = append(c.Children, e)
		return false
	})
	return &c
}

// WithID is the stanza with another id, which is not empty.
func (s *Stanza) WithID(id string) *Stanza {
	c := *s
	c.ID = id
	whole := append(append([]byte(nil), s.head...), s.tail...)
	head, _ := cutAttributes(whole[:0], whole, "id")
	c.head = appendAttribute(head, " id='", id)
	return &c
}

// Addressed is e, a stanza without addresses, with these, a zero one left out,
// and extra elements behind its children.
func Addressed(e []byte, from, to jid.JID, extra ...[]byte) []byte {
	head, tail := cutAttributes(nil, e)
	return (&Stanza{head: head, tail: tail}).Bytes(from, to, extra...)
}
