package host

import (
	"slices"
	"strconv"

	"mellium.im/xmpp/stanza"

	"xtokend/component/host/wire"
	"xtokend/internal/element"
)

// getItems answers XEP-0060 §6.5: with the items of these ids, with the newest,
// or with all, the oldest first.
func getItems(_ *turn, e *eventing) ([]byte, error) {
	n, err := e.node()
	if err != nil {
		return nil, err
	}
	var chosen []nodeItem
	for _, c := range e.action.Children {
		id := c.AttrValue("id")
		i := n.item(id)
		if c.Name == itemName && i >= 0 && !slices.ContainsFunc(chosen, func(i nodeItem) bool { return i.id == id }) {
			chosen = append(chosen, n.items[i])
		}
	}
	if len(e.action.Children) == 0 {
		chosen = n.items
		if most := e.action.AttrValue("max_items"); most != "" {
			count, err := strconv.ParseUint(most, 10, 31)
			if err != nil {
				return nil, wire.Fail(stanza.BadRequest)
			}
			chosen = chosen[max(0, len(chosen)-int(count)):]
		}
	}
	b := []byte("<pubsub xmlns='" + nsPubsub + "'>")
	b = append(b, itemsOf(n, elementsOf(chosen)...)...)
	return append(b, "</pubsub>"...), nil
}

func elementsOf(items []nodeItem) [][]byte {
	var list [][]byte
	for _, i := range items {
		list = append(list, i.element(true))
	}
	return list
}

// itemsOf is elements as items of a node.
func itemsOf(n *node, elements ...[]byte) []byte {
	b := []byte("<items node='" + element.Escape(n.name) + "'>")
	for _, e := range elements {
		b = append(b, e...)
	}
	return append(b, "</items>"...)
}
