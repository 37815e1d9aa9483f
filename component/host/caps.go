package host

import (
	"slices"

	"mellium.im/xmpp/stanza"

	"xtokend/component/host/disco"
	"xtokend/component/host/wire"
)

const nsCaps = "http://jabber.org/protocol/caps"

// Bounds of what is remembered of clients. Of a client that lists more, the rest
// is as if it were not listed.
const (
	maxCapsBytes = 1023 // of what a presence says
	maxInterests = 64   // of a client
	maxKnown     = 256  // clients
)

// caps is what a session says of its client with its presence (XEP-0115).
type caps struct {
	said  capsNode
	asked string    // id of the request that has no answer yet; "" if there is none
	wants interests // from the last answer
}

// capsNode is the attributes of <c/>.
type capsNode struct{ node, ver, hash string }

// interests are the nodes that a client wants to hear of (XEP-0060 §9.2), sorted.
// They do not change.
type interests []string

func (i interests) has(name string) bool {
	_, found := slices.BinarySearch(i, name)
	return found
}

// capsSaid takes note of an available presence. initial: the session was
// unavailable before it. A presence without caps says that nothing has changed
// (XEP-0115 §8.4).
func (t *turn) capsSaid(s *session, st *wire.Stanza, initial bool) {
	if initial {
		s.caps = caps{}
	}
	c, ok := st.Child(nsCaps, "c")
	said := capsNode{c.AttrValue("node"), c.AttrValue("ver"), c.AttrValue("hash")}
	if !ok || said == s.caps.said || len(said.node)+len(said.ver)+len(said.hash) > maxCapsBytes {
		return
	}
	s.caps.said, s.caps.asked = said, ""
	if known, ok := t.known[said.ver]; ok && said.hash == "sha-1" {
		t.capsLearned(s, known)
		return
	}
	id := newID()
	query := wire.Marshal(disco.Info{Node: said.node + "#" + said.ver})
	if !s.send(item{unit: wire.FromIQ(stanza.IQ{ID: id, Type: stanza.GetIQ, From: s.user.jid, To: s.jid}, query)}) {
		s.caps.said = capsNode{} // it is asked when it says so again
		return
	}
	s.caps.asked = id
}

// capsAnswered takes the answer to such a request. Others of the same hash are not
// asked if the hash is that of the answer (XEP-0115 §5.4).
func (t *turn) capsAnswered(st *wire.Stanza) {
	c := &t.session.caps
	if st.ID != c.asked { // an answer has an id
		return
	}
	c.asked = ""
	info := st.Payload()
	if st.Type != string(stanza.ResultIQ) || info.Name.Space != disco.NSInfo {
		return
	}
	text := capsText(info)
	wants := interestsIn(text)
	if c.said.hash == "sha-1" && c.said.ver == capsHash(text) {
		if len(t.known) >= maxKnown {
			for other := range t.known {
				delete(t.known, other)
				break
			}
		}
		t.known[c.said.ver] = wants
	}
	t.capsLearned(t.session, wants)
}

// capsLearned shows a session what it did not want to hear of before.
func (t *turn) capsLearned(s *session, wants interests) {
	before := s.caps.wants
	s.caps.wants = wants
	t.showAllLast(s, slices.DeleteFunc(slices.Clone(wants), before.has))
}
