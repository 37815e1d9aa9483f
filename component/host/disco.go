package host

import (
	"mellium.im/xmpp/stanza"
	"mellium.im/xmpp/version"
	"mellium.im/xmpp/xtime"

	"xtokend/component/host/disco"
	"xtokend/component/host/wire"
)

// msgoffline: messages wait for users who are not there (XEP-0160).
var serverFeatures = disco.Features(disco.NSInfo, disco.NSItems, nsRoster, nsPing, version.NS, xtime.NS, nsVCard, nsCarbons, "msgoffline")

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

// accountInfo tells about an account those who may see its presence (RFC 6121
// §8.5.2).
func accountInfo(t *turn, st *wire.Stanza, u *user) ([]byte, error) {
	if !u.isKnownTo(t.session.user) {
		return nil, wire.Fail(stanza.ServiceUnavailable)
	}
	if st.Payload().AttrValue("node") != "" {
		return nil, wire.Fail(stanza.ItemNotFound)
	}
	return wire.Marshal(disco.Info{
		Identities: []disco.Identity{{Category: "account", Type: "registered"}},
		Features:   disco.Features(disco.NSInfo, disco.NSItems),
	}), nil
}

func accountItems(t *turn, st *wire.Stanza, u *user) ([]byte, error) {
	if !u.isKnownTo(t.session.user) {
		return nil, wire.Fail(stanza.ServiceUnavailable)
	}
	if st.Payload().AttrValue("node") != "" {
		return nil, wire.Fail(stanza.ItemNotFound)
	}
	return wire.Marshal(disco.Items{}), nil
}

// isKnownTo says whether other is the user, or sees the user's presence. u may be
// nil: nobody.
func (u *user) isKnownTo(other *user) bool {
	return u != nil && (u == other || u.isSeenBy(other))
}
