package host

import (
	"encoding/xml"

	"mellium.im/xmpp/stanza"

	"xtokend/component/host/form"
	"xtokend/component/host/wire"
	"xtokend/internal/element"
)

var itemName = xml.Name{Space: nsPubsub, Local: "item"}

// publish answers XEP-0060 §7.1. The node is made if there is none (XEP-0163 §3).
func publish(t *turn, e *eventing) ([]byte, error) {
	if e.name == "" {
		return nil, pubsubFail(stanza.BadRequest, "nodeid-required")
	}
	i, err := e.item(t)
	if err != nil {
		return nil, err
	}
	n, err := e.nodeToPublishAt(t)
	if err != nil {
		return nil, err
	}
	if err := t.keepItem(e.owner, n, i); err != nil {
		return nil, err
	}
	if n.config.Notify {
		t.notify(e.owner, n, itemsOf(n, i.element(n.config.NotifyPayload)))
	}
	return []byte("<pubsub xmlns='" + nsPubsub + "'><publish node='" + element.Escape(n.name) + "'>" +
		"<item id='" + element.Escape(i.id) + "'/></publish></pubsub>"), nil
}

// item is the one to publish.
func (e *eventing) item(t *turn) (nodeItem, error) {
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
	case len(payload) > t.limits.ItemBytes:
		return nodeItem{}, pubsubFail(stanza.NotAcceptable, "payload-too-big")
	}
	i := nodeItem{id: items[0].AttrValue("id"), payload: payload}
	if i.id == "" {
		i.id = newID()
	}
	return i, nil
}

// nodeToPublishAt is the node, if it is configured as the client's options say
// (XEP-0060 §7.1.5), or a new one that is.
func (e *eventing) nodeToPublishAt(t *turn) (*node, error) {
	var options map[string]string
	if x, ok := formIn(e.stanza.Payload(), "publish-options"); ok {
		_, options = form.Values(x)
	}
	unmet := pubsubFail(stanza.Conflict, "precondition-not-met")
	if !areSettings(options) {
		return nil, unmet
	}
	n := e.owner.nodes[e.name]
	if n == nil {
		c, err := defaultNodeConfig().with(options, t.limits)
		if err != nil {
			return nil, err
		}
		return t.addNode(e.owner, e.name, c)
	}
	if c, err := n.config.with(options, t.limits); err != nil || c != n.config {
		return nil, unmet
	}
	return n, nil
}

// retract answers XEP-0060 §7.2.
func retract(t *turn, e *eventing) ([]byte, error) {
	n, err := e.node()
	if err != nil {
		return nil, err
	}
	item, _ := e.action.Child(nsPubsub, "item")
	id := item.AttrValue("id")
	i := n.item(id)
	switch {
	case id == "":
		return nil, pubsubFail(stanza.BadRequest, "item-required")
	case i < 0:
		return nil, wire.Fail(stanza.ItemNotFound)
	}
	t.removeItem(e.owner, n, i)
	if notify := e.action.AttrValue("notify"); n.config.NotifyRetract && (notify == "true" || notify == "1") {
		t.notify(e.owner, n, itemsOf(n, []byte("<retract id='"+element.Escape(id)+"'/>")))
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
