package host

import (
	"encoding/xml"

	"mellium.im/xmpp/stanza"

	"xtokend/component/host/disco"
	"xtokend/component/host/wire"
	"xtokend/internal/element"
)

const (
	nsPubsub       = "http://jabber.org/protocol/pubsub"
	nsPubsubOwner  = nsPubsub + "#owner"
	nsPubsubEvent  = nsPubsub + "#event"
	nsPubsubErrors = nsPubsub + "#errors"
)

var (
	pubsubName      = xml.Name{Space: nsPubsub, Local: "pubsub"}
	pubsubOwnerName = xml.Name{Space: nsPubsubOwner, Local: "pubsub"}
)

// accountFeatures are what the table below can do (XEP-0060 §10, XEP-0163 §6.1).
// Contacts need not subscribe: who sees the user's presence, and says which nodes
// he wants to hear of, is told.
var accountFeatures = disco.Features(disco.NSInfo, disco.NSItems, nsPubsub,
	nsPubsub+"#access-open", nsPubsub+"#access-presence", nsPubsub+"#access-whitelist",
	nsPubsub+"#auto-create", nsPubsub+"#auto-subscribe", nsPubsub+"#config-node", nsPubsub+"#config-node-max",
	nsPubsub+"#create-and-configure", nsPubsub+"#create-nodes", nsPubsub+"#delete-items", nsPubsub+"#delete-nodes",
	nsPubsub+"#filtered-notifications", nsPubsub+"#instant-nodes", nsPubsub+"#item-ids", nsPubsub+"#last-published",
	nsPubsub+"#meta-data", nsPubsub+"#multi-items", nsPubsub+"#persistent-items", nsPubsub+"#presence-notifications",
	nsPubsub+"#publish", nsPubsub+"#publish-options", nsPubsub+"#purge-nodes", nsPubsub+"#retract-items",
	nsPubsub+"#retrieve-default", nsPubsub+"#retrieve-items")

// eventing is a request to the nodes of an account (XEP-0163).
type eventing struct {
	stanza *wire.Stanza
	owner  *user
	asker  *user           // see turn.asker
	action element.Element // what is asked for, the first child of the payload
	name   string          // of the node; may be empty
}

// eventingAction answers with the payload of the result, or a pubsubError or
// stanza.Error.
type eventingAction func(*turn, *eventing) ([]byte, error)

// eventingActions are the requests that are answered; all but that for items are
// the owner's alone.
var eventingActions = map[stanza.IQType]map[xml.Name]eventingAction{
	stanza.GetIQ: {
		{Space: nsPubsub, Local: "items"}:          getItems,
		{Space: nsPubsubOwner, Local: "configure"}: getNodeConfig,
		{Space: nsPubsubOwner, Local: "default"}:   getDefaultNodeConfig,
	},
	stanza.SetIQ: {
		{Space: nsPubsub, Local: "create"}:         createNode,
		{Space: nsPubsub, Local: "publish"}:        publish,
		{Space: nsPubsub, Local: "retract"}:        retract,
		{Space: nsPubsubOwner, Local: "configure"}: setNodeConfig,
		{Space: nsPubsubOwner, Local: "delete"}:    deleteNode,
		{Space: nsPubsubOwner, Local: "purge"}:     purge,
	},
}

// unsupported are the features of XEP-0060 behind requests that are refused.
var unsupported = map[string]string{
	"subscribe": "subscribe", "unsubscribe": "subscribe", "options": "subscription-options",
	"subscriptions": "retrieve-subscriptions", "affiliations": "retrieve-affiliations",
}

// personalEventing answers XEP-0163: each account has nodes, as XEP-0060 has, and
// the user alone publishes there.
func personalEventing(t *turn, st *wire.Stanza, u *user) ([]byte, error) {
	if u == nil {
		return nil, wire.Fail(stanza.ServiceUnavailable)
	}
	payload := st.Payload()
	if len(payload.Children) == 0 {
		return nil, wire.Fail(stanza.BadRequest)
	}
	e := &eventing{stanza: st, owner: u, asker: t.asker(), action: payload.Children[0]}
	e.name = e.action.AttrValue("node")
	act := eventingActions[stanza.IQType(st.Type)][e.action.Name]
	switch feature := unsupported[e.action.Name.Local]; {
	case act == nil && feature != "":
		return nil, &pubsubError{fault: wire.Fail(stanza.FeatureNotImplemented), condition: "unsupported", feature: feature}
	case act == nil:
		return nil, wire.Fail(stanza.FeatureNotImplemented)
	case e.asker != u && e.action.Name.Local != "items":
		return nil, wire.Fail(stanza.Forbidden)
	}
	return act(t, e)
}

// node is the one asked for, if whoever asks may read it (XEP-0060 §6.5.9). A
// stranger does not learn whether there is one that he may not read.
func (e *eventing) node() (*node, error) {
	if e.name == "" {
		return nil, pubsubFail(stanza.BadRequest, "nodeid-required")
	}
	n := e.owner.nodes[e.name]
	switch {
	case n != nil && n.admits(e.owner, e.asker):
		return n, nil
	case !e.owner.isKnownTo(e.asker):
		return nil, pubsubFail(stanza.NotAuthorized, "presence-subscription-required")
	case n == nil:
		return nil, wire.Fail(stanza.ItemNotFound)
	}
	return nil, pubsubFail(stanza.NotAllowed, "closed-node")
}

// pubsubError is a stanza error with a condition of XEP-0060.
type pubsubError struct {
	fault     stanza.Error
	condition string
	feature   string // that is not supported, else empty
}

func pubsubFail(c stanza.Condition, condition string) error {
	return &pubsubError{fault: wire.Fail(c), condition: condition}
}

func (e *pubsubError) Unwrap() error { return e.fault }

func (e *pubsubError) Error() string { return string(e.fault.Condition) + ": " + e.condition }

func (e *pubsubError) element() []byte {
	b := "<" + e.condition + " xmlns='" + nsPubsubErrors + "'"
	if e.feature != "" {
		b += " feature='" + e.feature + "'"
	}
	return []byte(b + "/>")
}
