package host

import (
	"encoding/xml"
	"maps"
	"slices"

	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"

	"xtokend/component/host/wire"
	"xtokend/internal/element"
)

const (
	nsBlocking       = "urn:xmpp:blocking"
	nsBlockingErrors = "urn:xmpp:blocking:errors"
)

// blocks says whether the user hears nothing from an address and tells it nothing
// (XEP-0191 §3.3, §6). Nobody is cut off from his own account, or from the server.
func (u *user) blocks(address jid.JID) bool {
	if len(u.blocked) == 0 {
		return false
	}
	own := address.Domainpart() == u.jid.Domainpart() && (address.Localpart() == "" || address.Localpart() == u.jid.Localpart())
	return !own && (u.hasBlocked(address) || u.hasBlocked(address.Bare()) || u.hasBlocked(address.Domain()))
}

func (u *user) hasBlocked(address jid.JID) bool {
	_, ok := u.blocked[address.String()]
	return ok
}

// blocksSender is blocks for the address that a stanza of the room service's is
// from.
func (u *user) blocksSender(unit []byte) bool {
	if len(u.blocked) == 0 {
		return false
	}
	e, err := element.Parse(unit, clientHeader)
	if err != nil {
		return false
	}
	from, err := jid.Parse(e.AttrValue("from"))
	return err == nil && u.blocks(from)
}

// refuseBlocked answers a stanza for an address that its sender has blocked.
func (t *turn) refuseBlocked(st *wire.Stanza) {
	fault := stanza.Error{Type: stanza.Cancel, Condition: stanza.NotAcceptable}
	t.reply(st.Error(fault, []byte("<blocked xmlns='"+nsBlockingErrors+"'/>")))
}

// getBlocklist answers with all that is blocked; from then on the session is told
// of changes (XEP-0191 §3.2).
func getBlocklist(t *turn, _ *wire.Stanza, u *user) ([]byte, error) {
	t.session.blocklist = true
	return blockingOf("blocklist", slices.Sorted(maps.Keys(u.blocked))), nil
}

// block adds addresses (XEP-0191 §3.3).
func block(t *turn, st *wire.Stanza, u *user) ([]byte, error) {
	addresses, err := addressesIn(st.Payload())
	if err != nil {
		return nil, err
	}
	if len(addresses) == 0 {
		return nil, wire.Fail(stanza.BadRequest)
	}
	added := slices.DeleteFunc(slices.Clone(addresses), u.hasBlocked)
	if len(u.blocked)+len(added) > t.limits.Blocked {
		return nil, wire.Fail(stanza.ResourceConstraint)
	}
	before := t.watchers(u)
	for _, a := range added {
		u.blocked[a.String()] = struct{}{}
		t.put(bucketBlocked, pairKey(u, a), nil)
	}
	for _, other := range before {
		if u.blocks(other.jid) {
			t.vanish(u, other)
		}
	}
	for _, r := range u.requests { // which could not be answered any more
		if u.blocks(r.from) {
			t.settle(u, r.from)
		}
	}
	for _, s := range u.sessions {
		for key, to := range s.directed {
			if u.blocks(to) {
				delete(s.directed, key)
				t.sendPresence(t.unavailable(s), to)
			}
		}
	}
	t.pushBlocking(u, "block", addresses)
	return nil, nil
}

// unblock takes addresses out, all of them if it names none (XEP-0191 §3.4, §3.5).
func unblock(t *turn, st *wire.Stanza, u *user) ([]byte, error) {
	addresses, err := addressesIn(st.Payload())
	if err != nil {
		return nil, err
	}
	before := t.watchers(u)
	for text := range u.blocked {
		if len(addresses) > 0 && !slices.ContainsFunc(addresses, func(a jid.JID) bool { return a.String() == text }) {
			continue
		}
		delete(u.blocked, text)
		t.remove(bucketBlocked, u.jid.Localpart()+"\x00"+text)
	}
	for _, other := range t.watchers(u) {
		if slices.Contains(before, other) {
			continue
		}
		for _, s := range u.available() {
			t.inform(other, s.jid, s.presence.Bytes(s.jid, other.jid))
		}
	}
	t.pushBlocking(u, "unblock", addresses)
	return nil, nil
}

// watchers are the other users who are told of the user's presence.
func (t *turn) watchers(u *user) []*user {
	var list []*user
	for _, c := range u.roster {
		if other, _ := t.local(c.jid); other != nil && c.from() && !u.blocks(other.jid) {
			list = append(list, other)
		}
	}
	return list
}

// addressesIn are those of the items, each once.
func addressesIn(e element.Element) ([]jid.JID, error) {
	var list []jid.JID
	for _, item := range e.Children {
		if item.Name != (xml.Name{Space: nsBlocking, Local: "item"}) {
			continue
		}
		address, err := jid.Parse(item.AttrValue("jid"))
		if err != nil {
			return nil, wire.Fail(stanza.JIDMalformed)
		}
		if !slices.ContainsFunc(list, address.Equal) {
			list = append(list, address)
		}
	}
	return list, nil
}

func (t *turn) pushBlocking(u *user, name string, addresses []jid.JID) {
	var texts []string
	for _, a := range addresses {
		texts = append(texts, a.String())
	}
	for _, s := range u.sessions {
		if s.blocklist {
			t.say(s, wire.FromIQ(stanza.IQ{ID: newID(), To: s.jid, Type: stanza.SetIQ}, blockingOf(name, texts)))
		}
	}
}

func blockingOf(name string, addresses []string) []byte {
	type item struct {
		JID string `xml:"jid,attr"`
	}
	e := struct {
		XMLName xml.Name
		Items   []item `xml:"item"`
	}{XMLName: xml.Name{Space: nsBlocking, Local: name}}
	for _, a := range addresses {
		e.Items = append(e.Items, item{a})
	}
	return wire.Marshal(e)
}
