package muc

import "encoding/xml"

const (
	nsMUC         = "http://jabber.org/protocol/muc"
	nsUser        = "http://jabber.org/protocol/muc#user"
	nsAdmin       = "http://jabber.org/protocol/muc#admin"
	nsOwner       = "http://jabber.org/protocol/muc#owner"
	nsStableID    = "http://jabber.org/protocol/muc#stable_id"
	nsSelfPing    = "http://jabber.org/protocol/muc#self-ping-optimization"
	nsRoomConfig  = "http://jabber.org/protocol/muc#roomconfig"
	nsRoomInfo    = "http://jabber.org/protocol/muc#roominfo"
	nsConference  = "jabber:x:conference"
	nsResultSet   = "http://jabber.org/protocol/rsm"
	nsPing        = "urn:xmpp:ping"
	nsDelay       = "urn:xmpp:delay"
	nsLegacyDelay = "jabber:x:delay"
	nsStanzaID    = "urn:xmpp:sid:0"
	nsOccupantID  = "urn:xmpp:occupant-id:0"
	nsHats        = "urn:xmpp:hats:0"
	nsProsodyHats = "xmpp:prosody.im/protocol/hats:1"
	nsAddress     = "http://jabber.org/protocol/address"
	nsHints       = "urn:xmpp:hints"
	nsEncryption  = "urn:xmpp:eme:0"
	nsStanzas     = "urn:ietf:params:xml:ns:xmpp-stanzas"
	nsVCard       = "vcard-temp"
	nsVCard4      = "urn:ietf:params:xml:ns:vcard-4.0"
	nsPubSub      = "http://jabber.org/protocol/pubsub"
)

// Status codes (XEP-0045 §16.6.2).
const (
	statusNonAnonymous = 100 // all occupants see everybody's JID
	statusConfigured   = 104
	statusSelf         = 110
	statusNowOpen      = 172 // the room is now non-anonymous
	statusNowSemi      = 173 // the room is now semi-anonymous
	statusCreated      = 201
	statusBanned       = 301
	statusNewNick      = 303
	statusKicked       = 307
	statusUnaffiliated = 321 // removed because of a change of affiliation
	statusMembersOnly  = 322 // removed because the room is now for members only
	statusFault        = 333 // removed because of an error
)

// userX is the part of a presence or message that only the room writes.
type userX struct {
	XMLName  xml.Name    `xml:"http://jabber.org/protocol/muc#user x"`
	Invite   *invitation `xml:"invite"`
	Decline  *invitation `xml:"decline"`
	Items    []item      `xml:"item"`
	Destroy  *venue      `xml:"destroy"`
	Statuses []status    `xml:"status"`
	Password string      `xml:"password,omitempty"`
}

type item struct {
	Affiliation string `xml:"affiliation,attr,omitempty"`
	Role        string `xml:"role,attr,omitempty"`
	JID         string `xml:"jid,attr,omitempty"`
	Nick        string `xml:"nick,attr,omitempty"`
	Actor       *actor `xml:"actor"`
	Reason      string `xml:"reason,omitempty"`
}

type actor struct {
	Nick string `xml:"nick,attr"`
}

type status struct {
	Code int `xml:"code,attr"`
}

type invitation struct {
	From   string `xml:"from,attr"`
	Reason string `xml:"reason,omitempty"`
}

// venue is where a room that is destroyed goes on.
type venue struct {
	JID      string `xml:"jid,attr,omitempty"`
	Reason   string `xml:"reason,omitempty"`
	Password string `xml:"password,omitempty"`
}

type adminQuery struct {
	XMLName xml.Name `xml:"http://jabber.org/protocol/muc#admin query"`
	Items   []item   `xml:"item"`
}

type occupantID struct {
	XMLName xml.Name `xml:"urn:xmpp:occupant-id:0 occupant-id"`
	ID      string   `xml:"id,attr"`
}

type stanzaID struct {
	XMLName xml.Name `xml:"urn:xmpp:sid:0 stanza-id"`
	ID      string   `xml:"id,attr"`
	By      string   `xml:"by,attr"`
}

type delay struct {
	XMLName xml.Name `xml:"urn:xmpp:delay delay"`
	From    string   `xml:"from,attr"`
	Stamp   string   `xml:"stamp,attr"` // XEP-0082
}

// unavailable is the presence, without addresses, of who says nothing at leaving.
func unavailable() []byte { return []byte("<presence type='unavailable'/>") }

func statuses(codes ...int) []status {
	var list []status
	for _, c := range codes {
		list = append(list, status{c})
	}
	return list
}
