package host

import (
	"encoding/xml"

	"mellium.im/xmpp/stanza"

	"xtokend/component/host/wire"
)

const nsVCard = "vcard-temp"

var vCardName = xml.Name{Space: nsVCard, Local: "vCard"}

// getVCard answers with the vCard that a user has set (XEP-0054); anybody may see
// it. One that was never set is empty, which clients take for an answer, where
// they report an error and ask again later.
func getVCard(_ *turn, _ *wire.Stanza, u *user) ([]byte, error) {
	switch {
	case u == nil:
		return nil, wire.Fail(stanza.ItemNotFound)
	case u.vCard == nil:
		return []byte("<vCard xmlns='" + nsVCard + "'/>"), nil
	}
	return u.vCard, nil
}

func setVCard(t *turn, st *wire.Stanza, u *user) ([]byte, error) {
	vCard := st.ChildBytes(vCardName)
	if len(vCard) > t.limits.ItemBytes {
		return nil, wire.Fail(stanza.NotAcceptable)
	}
	u.vCard = vCard
	t.put(bucketVCards, u.jid.Localpart(), vCard)
	return nil, nil
}

// setVCardOfAnother is refused (XEP-0054 §3.2).
func setVCardOfAnother(*turn, *wire.Stanza, *user) ([]byte, error) {
	return nil, wire.Fail(stanza.Forbidden)
}
