package host

import (
	"slices"
	"strings"

	"mellium.im/xmpp/stanza"
	"mellium.im/xmpp/version"
	"mellium.im/xmpp/xtime"

	"xtokend/component/host/disco"
	"xtokend/component/host/wire"
)

// msgoffline: messages wait for users who are not there (XEP-0160).
var serverFeatures = disco.Features(disco.NSInfo, disco.NSItems, nsRoster, nsPing, version.NS, xtime.NS, nsVCard,
	nsCarbons, nsBlocking, "msgoffline")

// serverInfo and the others answer XEP-0030.
func serverInfo(_ *turn, st *wire.Stanza, _ *user) ([]byte, error) {
	if st.Payload().AttrValue("node") != "" {
		return nil, wire.Fail(stanza.ItemNotFound)
	}
	return wire.Marshal(disco.Info{
		Identities: []disco.Identity{{Category: "server", Type: "im", Name: softwareName}},
		Features:   serverFeatures,
	}), nil
}

func serverItems(t *turn, st *wire.Stanza, _ *user) ([]byte, error) {
	if st.Payload().AttrValue("node") != "" {
		return nil, wire.Fail(stanza.ItemNotFound)
	}
	var items []disco.Item
	if t.rooms != nil {
		items = append(items, disco.Item{JID: t.roomsAt.String(), Name: "Rooms"})
	}
	return wire.Marshal(disco.Items{Items: items}), nil
}

// accountInfo tells about an account, or one of its nodes, those who may see its
// presence (RFC 6121 §8.5.2).
func accountInfo(t *turn, st *wire.Stanza, u *user) ([]byte, error) {
	n, err := accountNode(t, st, u)
	switch {
	case err != nil:
		return nil, err
	case n != nil:
		return wire.Marshal(disco.Info{
			Node:       n.name,
			Identities: []disco.Identity{{Category: "pubsub", Type: "leaf"}},
			Features:   disco.Features(disco.NSInfo, nsPubsub),
			Form:       n.metaData(),
		}), nil
	}
	return wire.Marshal(disco.Info{
		Identities: []disco.Identity{{Category: "account", Type: "registered"}, {Category: "pubsub", Type: "pep"}},
		Features:   accountFeatures,
	}), nil
}

// accountItems lists the nodes, or the items of one, that whoever asks may read.
func accountItems(t *turn, st *wire.Stanza, u *user) ([]byte, error) {
	n, err := accountNode(t, st, u)
	if err != nil {
		return nil, err
	}
	answer, address := disco.Items{}, u.jid.String()
	if n != nil {
		answer.Node = n.name
		for _, i := range n.items {
			answer.Items = append(answer.Items, disco.Item{JID: address, Name: i.id})
		}
		return wire.Marshal(answer), nil
	}
	for _, n := range u.nodes {
		if n.admits(u, t.asker()) {
			answer.Items = append(answer.Items, disco.Item{JID: address, Node: n.name, Name: n.config.Title})
		}
	}
	slices.SortFunc(answer.Items, func(a, b disco.Item) int { return strings.Compare(a.Node, b.Node) })
	return wire.Marshal(answer), nil
}

// accountNode is the node that a request names, nil if it names none.
func accountNode(t *turn, st *wire.Stanza, u *user) (*node, error) {
	if !u.isKnownTo(t.asker()) {
		return nil, wire.Fail(stanza.ServiceUnavailable)
	}
	name := st.Payload().AttrValue("node")
	if name == "" {
		return nil, nil
	}
	n := u.nodes[name]
	if n == nil || !n.admits(u, t.asker()) {
		return nil, wire.Fail(stanza.ItemNotFound)
	}
	return n, nil
}

// isKnownTo says whether other is the user, or sees the user's presence. Both may
// be nil: nobody, and anybody.
func (u *user) isKnownTo(other *user) bool {
	return u != nil && other != nil && (u == other || u.isSeenBy(other))
}
