package host

import (
	"strconv"

	"mellium.im/xmpp/stanza"

	"xtokend/component/host/form"
	"xtokend/component/host/wire"
	"xtokend/internal/element"
)

const (
	nsNodeConfig     = nsPubsub + "#node_config"
	nsPublishOptions = nsPubsub + "#publish-options"
	nsMetaData       = nsPubsub + "#meta-data"
)

// Who may read a node (XEP-0060 §4.5). Nobody but the owner is on a whitelist.
const (
	accessPresence  = "presence"
	accessOpen      = "open"
	accessWhitelist = "whitelist"
)

// When the last item is sent without being asked for. Presence is what makes
// others subscribers, so on_sub is the same as never.
const (
	sendNever      = "never"
	sendOnSub      = "on_sub"
	sendOnPresence = "on_sub_and_presence"
)

const publishersOnly = "publishers"

// nodeConfig is the configuration of a node, in the terms of XEP-0060 §16.4.
type nodeConfig struct {
	Title          string `json:"title,omitempty"`
	Description    string `json:"description,omitempty"`
	Type           string `json:"type,omitempty"`
	Access         string `json:"access"`
	Publishers     string `json:"publishers"`
	MaxItems       int    `json:"max_items"` // 0: as many as there may be
	Persist        bool   `json:"persist"`
	SendLast       string `json:"send_last"`
	Notify         bool   `json:"notify"`
	NotifyPayload  bool   `json:"notify_payload"`
	NotifyRetract  bool   `json:"notify_retract"`
	NotifyDeletion bool   `json:"notify_deletion"`
}

// defaultNodeConfig is that of XEP-0163 §5.
func defaultNodeConfig() nodeConfig {
	return nodeConfig{
		Access: accessPresence, Publishers: publishersOnly, MaxItems: 1, Persist: true, SendLast: sendOnPresence,
		Notify: true, NotifyPayload: true, NotifyRetract: true, NotifyDeletion: true,
	}
}

// maxNodeTextBytes bounds a text of a node. See maxNodeNameBytes.
const maxNodeTextBytes = 255

func nodeSettings(l Limits) []form.Setting[nodeConfig] {
	return []form.Setting[nodeConfig]{
		form.Text("pubsub#title", "Title", maxNodeTextBytes, func(c *nodeConfig) *string { return &c.Title }),
		form.Text("pubsub#description", "Description", maxNodeTextBytes,
			func(c *nodeConfig) *string { return &c.Description }),
		form.Text("pubsub#type", "Namespace of what is published", maxNodeTextBytes,
			func(c *nodeConfig) *string { return &c.Type }),
		form.Choice("pubsub#access_model", "Who may read", []string{accessPresence, accessOpen, accessWhitelist},
			func(c *nodeConfig) *string { return &c.Access }),
		form.Choice("pubsub#publish_model", "Who may publish", []string{publishersOnly},
			func(c *nodeConfig) *string { return &c.Publishers }),
		{
			Var: "pubsub#max_items", Type: form.TextSingle, Label: "Items that are kept, a number or max",
			Get: func(c *nodeConfig) string {
				if c.MaxItems == 0 {
					return "max"
				}
				return strconv.Itoa(c.MaxItems)
			},
			Set: func(c *nodeConfig, value string) bool {
				n, err := strconv.Atoi(value)
				c.MaxItems = n // 0 if it is no number
				return value == "max" || err == nil && n > 0 && n <= l.NodeItems
			},
		},
		form.Switch("pubsub#persist_items", "Items are kept", func(c *nodeConfig) *bool { return &c.Persist }),
		form.Choice("pubsub#send_last_published_item", "When the last item is sent unasked",
			[]string{sendNever, sendOnSub, sendOnPresence},
			func(c *nodeConfig) *string { return &c.SendLast }),
		form.Switch("pubsub#deliver_notifications", "Others are told of new items",
			func(c *nodeConfig) *bool { return &c.Notify }),
		form.Switch("pubsub#deliver_payloads", "… with what they hold",
			func(c *nodeConfig) *bool { return &c.NotifyPayload }),
		form.Switch("pubsub#notify_retract", "Others may be told that an item is gone",
			func(c *nodeConfig) *bool { return &c.NotifyRetract }),
		form.Switch("pubsub#notify_delete", "Others are told that the node is gone",
			func(c *nodeConfig) *bool { return &c.NotifyDeletion }),
	}
}

// with is the configuration with the values of a form that was submitted. One that
// is empty, and is not a possible value, changes nothing, for clients that send back
// what they did not understand.
func (c nodeConfig) with(submitted map[string]string, l Limits) (nodeConfig, error) {
	if !areSettings(submitted) {
		return c, wire.Fail(stanza.NotAcceptable)
	}
	for _, s := range nodeSettings(l) {
		changed := c
		switch value, ok := submitted[s.Var]; {
		case ok && s.Set(&changed, value):
			c = changed
		case value == "":
		case s.Var == "pubsub#access_model":
			return c, pubsubFail(stanza.NotAcceptable, "unsupported-access-model")
		default:
			return c, wire.Fail(stanza.NotAcceptable)
		}
	}
	return c, nil
}

// areSettings says whether all that was submitted is known.
func areSettings(submitted map[string]string) bool {
	known := 0
	for _, s := range nodeSettings(Limits{}) {
		if _, ok := submitted[s.Var]; ok {
			known++
		}
	}
	return known == len(submitted)
}

// getNodeConfig answers XEP-0060 §8.2.1.
func getNodeConfig(t *turn, e *eventing) ([]byte, error) {
	n, err := e.node()
	if err != nil {
		return nil, err
	}
	return []byte("<pubsub xmlns='" + nsPubsubOwner + "'><configure node='" + element.Escape(n.name) + "'>" +
		n.config.form(t.limits) + "</configure></pubsub>"), nil
}

// getDefaultNodeConfig answers XEP-0060 §8.3.
func getDefaultNodeConfig(t *turn, _ *eventing) ([]byte, error) {
	return []byte("<pubsub xmlns='" + nsPubsubOwner + "'><default>" + defaultNodeConfig().form(t.limits) +
		"</default></pubsub>"), nil
}

func (c nodeConfig) form(l Limits) string {
	x := form.Form{Type: form.ToFill, Fields: []form.Field{form.TypeField(nsNodeConfig)}}
	for _, s := range nodeSettings(l) {
		x.Fields = append(x.Fields, s.Field(&c))
	}
	return string(wire.Marshal(x))
}

// setNodeConfig answers XEP-0060 §8.2.4.
func setNodeConfig(t *turn, e *eventing) ([]byte, error) {
	n, err := e.node()
	if err != nil {
		return nil, err
	}
	x, ok := e.action.Child(form.NS, "x")
	if !ok {
		return nil, wire.Fail(stanza.BadRequest)
	}
	if x.AttrValue("type") == form.Cancelled {
		return nil, nil
	}
	values, err := submitted(x, nsNodeConfig)
	if err != nil {
		return nil, err
	}
	c, err := n.config.with(values, t.limits)
	if err == nil {
		t.configure(e.owner, n, c)
	}
	return nil, err
}

// createNode answers XEP-0060 §8.1. A node without a name is given one.
func createNode(t *turn, e *eventing) ([]byte, error) {
	if e.owner.nodes[e.name] != nil {
		return nil, wire.Fail(stanza.Conflict)
	}
	c := defaultNodeConfig()
	if x, ok := formIn(e.stanza.Payload(), "configure"); ok {
		values, err := submitted(x, nsNodeConfig)
		if err != nil {
			return nil, err
		}
		if c, err = c.with(values, t.limits); err != nil {
			return nil, err
		}
	}
	name := e.name
	if name == "" {
		name = newID()
	}
	n, err := e.owner.newNode(name, c, t.limits)
	if err != nil {
		return nil, err
	}
	t.addNode(e.owner, n)
	if e.name != "" {
		return nil, nil
	}
	return []byte("<pubsub xmlns='" + nsPubsub + "'><create node='" + name + "'/></pubsub>"), nil
}

// formIn is the form in a child of <pubsub/>.
func formIn(pubsub element.Element, child string) (element.Element, bool) {
	c, _ := pubsub.Child(nsPubsub, child)
	return c.Child(form.NS, "x")
}

// submitted is the values of a form of that kind, which it need not say (XEP-0068
// §4). One of another kind may have fields of the same names.
func submitted(x element.Element, kind string) (map[string]string, error) {
	is, values, ok := form.Values(x)
	if !ok || x.AttrValue("type") != form.Submitted || is != "" && is != kind {
		return nil, wire.Fail(stanza.BadRequest)
	}
	return values, nil
}

// metaData is what others are told of a node (XEP-0060 §5.4).
func (n *node) metaData() *form.Form {
	x := &form.Form{Type: form.Result, Fields: []form.Field{form.TypeField(nsMetaData)}}
	for _, s := range nodeSettings(Limits{}) {
		switch s.Var {
		case "pubsub#title", "pubsub#description", "pubsub#type", "pubsub#access_model", "pubsub#publish_model":
			if value := s.Get(&n.config); value != "" {
				x.Fields = append(x.Fields, form.Field{Var: s.Var, Values: []string{value}})
			}
		}
	}
	return x
}
