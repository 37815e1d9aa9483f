package host

import (
	"encoding/xml"
	"slices"

	"mellium.im/xmpp/stanza"

	"xtokend/component/host/wire"
	"xtokend/internal/element"
)

var itemName = xml.Name{Space: nsPubsub, Local: "item"}

// publish answers XEP-0060 §7.1. The node is made if there is none (XEP-0163 §3).
func publish(t *turn, e *eventing) ([]byte, error) {
	if e.name == "" {
		return nil, pubsubFail(stanza.BadRequest, "nodeid-required")
	}
	i, err := e.item(t.limits)
	if err != nil {
		return nil, err
	}
	n, err := e.nodeToPublishAt(t.limits)
	switch {
	case err != nil:
		return nil, err
	case !e.owner.mayKeep(n, i, t.limits):
		return nil, wire.Fail(stanza.ResourceConstraint)
	}
	if e.owner.nodes[n.name] == nil {
		t.addNode(e.owner, n)
	}
	t.keepItem(e.owner, n, i)
	if n.config.Notify {
		t.notify(e.owner, n, itemsOf(n, i.element(n.config.NotifyPayload)))
	}
	return []byte("<pubsub xmlns='" + nsPubsub + "'><publish node='" + element.Escape(n.name) + "'>" +
		"<item id='" + element.Escape(i.id) + "'/></publish></pubsub>"), nil
}

// item is the one to publish.
func (e *eventing) item(l Limits) (nodeItem, error) {
	items := e.action.Children
	switch {
	case len(items) == 0 || items[0].Name != itemName:
		return nodeItem{}, pubsubFail(stanza.BadRequest, "item-required")
	case len(items) > 1:
		return nodeItem{}, pubsubFail(stanza.BadRequest, "max-items-exceeded")
	case len(items[0].Children) == 0:
		return nodeItem{}, pubsubFail(stanza.BadRequest, "payload-required")
	}
	payload := wire.Content(wire.Descend(e.stanza.ChildBytes(pubsubName), e.action.Name, itemName))
	switch {
	case payload == nil:
		return nodeItem{}, pubsubFail(stanza.BadRequest, "invalid-payload")
	case len(payload) > l.ItemBytes:
		return nodeItem{}, pubsubFail(stanza.NotAcceptable, "payload-too-big")
	}
	i := nodeItem{id: items[0].AttrValue("id"), payload: payload}
	switch {
	case len(i.id) > maxItemIDBytes:
		return nodeItem{}, wire.Fail(stanza.NotAcceptable)
	case i.id == "":
		i.id = newID()
	}
	return i, nil
}

// nodeToPublishAt is the node, if it is configured as the client's options say
// (XEP-0060 §7.1.5), or a new one that is, and is still to be added.
func (e *eventing) nodeToPublishAt(l Limits) (*node, error) {
	var options map[string]string
	if x, ok := formIn(e.stanza.Payload(), "publish-options"); ok {
		var err error
		if options, err = submitted(x, nsPublishOptions); err != nil {
			return nil, err
		}
	}
	unmet := pubsubFail(stanza.Conflict, "precondition-not-met")
	if !areSettings(options) {
		return nil, unmet
	}
	n := e.owner.nodes[e.name]
	if n == nil {
		c, err := defaultNodeConfig().with(options, l)
		if err != nil {
			return nil, err
		}
		return e.owner.newNode(e.name, c, l)
	}
	if c, err := n.config.with(options, l); err != nil || c != n.config {
		return nil, unmet
	}
	return n, nil
}

// retract answers XEP-0060 §7.2: all of the items go, or none.
func retract(t *turn, e *eventing) ([]byte, error) {
	n, err := e.node()
	if err != nil {
		return nil, err
	}
	if len(e.action.Children) == 0 {
		return nil, pubsubFail(stanza.BadRequest, "item-required")
	}
	var ids []string
	for _, c := range e.action.Children {
		id := c.AttrValue("id")
		switch {
		case c.Name != itemName || id == "":
			return nil, pubsubFail(stanza.BadRequest, "item-required")
		case n.item(id) < 0:
			return nil, wire.Fail(stanza.ItemNotFound)
		case !slices.Contains(ids, id):
			ids = append(ids, id)
		}
	}
	var gone [][]byte
	for _, id := range ids {
		t.removeItem(e.owner, n, n.item(id))
		gone = append(gone, []byte("<retract id='"+element.Escape(id)+"'/>"))
	}
	if notify := e.action.AttrValue("notify"); n.config.NotifyRetract && (notify == "true" || notify == "1") {
		t.notify(e.owner, n, itemsOf(n, gone...))
	}
	return nil, nil
}

// purge answers XEP-0060 §8.5.
func purge(t *turn, e *eventing) ([]byte, error) {
	n, err := e.node()
	if err != nil {
		return nil, err
	}
	t.removeItems(e.owner, n, len(n.items))
	if n.config.NotifyRetract {
		t.notify(e.owner, n, []byte("<purge node='"+element.Escape(n.name)+"'/>"))
	}
	return nil, nil
}

// deleteNode answers XEP-0060 §8.4.
func deleteNode(t *turn, e *eventing) ([]byte, error) {
	n, err := e.node()
	if err != nil {
		return nil, err
	}
	t.removeNode(e.owner, n)
	if n.config.NotifyDeletion {
		t.notify(e.owner, n, []byte("<delete node='"+element.Escape(n.name)+"'/>"))
	}
	return nil, nil
}
