package host

import (
	"encoding/xml"
	"errors"
	"slices"

	"mellium.im/xmpp/stanza"
	"mellium.im/xmpp/version"
	"mellium.im/xmpp/xtime"

	"xtokend/component/host/disco"
	"xtokend/component/host/wire"
)

// asked says whom a request was made to.
type asked int

const (
	theServer asked = iota
	ownAccount
	otherAccount
)

// question is what a request is about.
type question struct {
	whom asked
	kind stanza.IQType
	name xml.Name // of the payload
}

// handler answers a request with the payload of its result, or a stanza.Error. u
// is the account that was asked; nil if the server was, or if nobody has that name.
type handler func(t *turn, st *wire.Stanza, u *user) ([]byte, error)

// handlers are the requests that the host answers.
var handlers = map[question]handler{
	{theServer, stanza.GetIQ, xml.Name{Space: disco.NSInfo, Local: "query"}}:     serverInfo,
	{ownAccount, stanza.GetIQ, xml.Name{Space: disco.NSInfo, Local: "query"}}:    accountInfo,
	{otherAccount, stanza.GetIQ, xml.Name{Space: disco.NSInfo, Local: "query"}}:  accountInfo,
	{theServer, stanza.GetIQ, xml.Name{Space: disco.NSItems, Local: "query"}}:    serverItems,
	{ownAccount, stanza.GetIQ, xml.Name{Space: disco.NSItems, Local: "query"}}:   accountItems,
	{otherAccount, stanza.GetIQ, xml.Name{Space: disco.NSItems, Local: "query"}}: accountItems,

	{theServer, stanza.GetIQ, xml.Name{Space: nsPing, Local: "ping"}}:      ping,
	{ownAccount, stanza.GetIQ, xml.Name{Space: nsPing, Local: "ping"}}:     ping,
	{theServer, stanza.GetIQ, xml.Name{Space: version.NS, Local: "query"}}: softwareVersion,
	{theServer, stanza.GetIQ, xml.Name{Space: xtime.NS, Local: "time"}}:    entityTime,

	{ownAccount, stanza.GetIQ, xml.Name{Space: nsRoster, Local: "query"}}:    getRoster,
	{ownAccount, stanza.SetIQ, xml.Name{Space: nsRoster, Local: "query"}}:    setRoster,
	{ownAccount, stanza.SetIQ, xml.Name{Space: nsSession, Local: "session"}}: startSession,
	{theServer, stanza.SetIQ, xml.Name{Space: nsSession, Local: "session"}}:  startSession,
	{ownAccount, stanza.SetIQ, xml.Name{Space: nsCarbons, Local: "enable"}}:  enableCarbons,
	{ownAccount, stanza.SetIQ, xml.Name{Space: nsCarbons, Local: "disable"}}: disableCarbons,

	{ownAccount, stanza.GetIQ, xml.Name{Space: nsBlocking, Local: "blocklist"}}: getBlocklist,
	{ownAccount, stanza.SetIQ, xml.Name{Space: nsBlocking, Local: "block"}}:     block,
	{ownAccount, stanza.SetIQ, xml.Name{Space: nsBlocking, Local: "unblock"}}:   unblock,

	{theServer, stanza.GetIQ, vCardName}:    getVCard,
	{ownAccount, stanza.GetIQ, vCardName}:   getVCard,
	{otherAccount, stanza.GetIQ, vCardName}: getVCard,
	{ownAccount, stanza.SetIQ, vCardName}:   setVCard,
	{otherAccount, stanza.SetIQ, vCardName}: setVCardOfAnother,

	{ownAccount, stanza.GetIQ, pubsubName}:        personalEventing,
	{ownAccount, stanza.SetIQ, pubsubName}:        personalEventing,
	{otherAccount, stanza.GetIQ, pubsubName}:      personalEventing,
	{otherAccount, stanza.SetIQ, pubsubName}:      personalEventing,
	{ownAccount, stanza.GetIQ, pubsubOwnerName}:   personalEventing,
	{ownAccount, stanza.SetIQ, pubsubOwnerName}:   personalEventing,
	{otherAccount, stanza.GetIQ, pubsubOwnerName}: personalEventing,
	{otherAccount, stanza.SetIQ, pubsubOwnerName}: personalEventing,
}

// addressBytes is more than an answer has around its payload and id: two
// addresses, and names.
const addressBytes = 2*3071 + 128

// request answers a request. An answer can only be one to what the host has asked.
func (t *turn) request(st *wire.Stanza, whom asked, u *user) {
	if !st.IsRequest() {
		if whom == ownAccount {
			t.capsAnswered(st)
		}
		return
	}
	h := handlers[question{whom, stanza.IQType(st.Type), st.Payload().Name}]
	if h == nil {
		t.reply(st.Error(wire.Fail(stanza.ServiceUnavailable)))
		return
	}
	before := len(t.told)
	payload, err := h(t, st, u)
	if len(payload)+len(st.ID)+addressBytes > t.limits.OutputBytes {
		err = wire.Fail(stanza.ResourceConstraint)
	}
	if err == nil { // the result comes first, then what follows from it
		t.told = slices.Insert(t.told, before, told{session: t.session, unit: st.Result(payload)})
		return
	}
	var specific *pubsubError
	if errors.As(err, &specific) {
		t.reply(st.Error(specific.fault, specific.element()))
		return
	}
	fault := wire.Fail(stanza.InternalServerError)
	errors.As(err, &fault)
	t.reply(st.Error(fault))
}

// asker is whose request it is; nil for one who is to learn no more than anybody.
func (t *turn) asker() *user {
	if t.session == nil {
		return nil
	}
	return t.session.user
}

// startSession is what clients of RFC 3921 §3 ask for; there is nothing to do.
func startSession(*turn, *wire.Stanza, *user) ([]byte, error) { return nil, nil }
