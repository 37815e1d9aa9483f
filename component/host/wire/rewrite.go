package wire

import (
	"mellium.im/xmpp/jid"

	"xtokend/internal/element"
)

// Without is the stanza without the children for which drop says so.
func (s *Stanza) Without(drop func(element.Element) bool) *Stanza {
	c := *s
	c.Children = nil
	i, kept := 0, 1 // of the tail, which begins with the '>' of the start tag
	var tail []byte
	eachChild(s.tail[1:], func(begin, end int) bool {
		if drop(s.Children[i]) {
			tail = append(tail, s.tail[kept:begin+1]...)
			kept = end + 1
		} else {
			c.Children = append(c.Children, s.Children[i])
		}
		i++
		return true
	})
	if kept > 1 {
		c.tail = append(append([]byte{'>'}, tail...), s.tail[kept:]...)
	}
	return &c
}

// WithID is the stanza with another id, which is not empty.
func (s *Stanza) WithID(id string) *Stanza {
	c := *s
	c.ID = id
	whole := append(append([]byte(nil), s.head...), s.tail...)
	head, _ := cutAttributes(whole, "id")
	c.head = appendAttribute(head, " id='", id)
	return &c
}

// Addressed is e, a stanza without addresses, with these, a zero one left out,
// and extra elements behind its children.
func Addressed(e []byte, from, to jid.JID, extra ...[]byte) []byte {
	head, tail := cutAttributes(e)
	return (&Stanza{head: head, tail: tail}).Bytes(from, to, extra...)
}
