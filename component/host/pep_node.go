package host

import (
	"encoding/binary"
	"encoding/json"
	"slices"

	"mellium.im/xmpp/stanza"

	"xtokend/component/host/wire"
	"xtokend/internal/element"
)

// maxNodeNameBytes bounds the name of a node, so that a list of all nodes, with
// their titles and escaped, is less than Limits.OutputBytes by default;
// maxItemIDBytes bounds the id of an item, which may be an address.
const (
	maxNodeNameBytes = 255
	maxItemIDBytes   = 1023
)

// node is where a user publishes.
type node struct {
	name   string
	config nodeConfig
	items  []nodeItem // in the order in which they were published
}

// nodeItem is a published item that is kept.
type nodeItem struct {
	id      string
	number  uint64 // in order, of the node
	payload []byte // an element that stands alone
}

// size is what an item takes up in an answer.
func (i *nodeItem) size() int {
	return len("<item id=''></item>") + len(element.Escape(i.id)) + len(i.payload)
}

func (i *nodeItem) element(withPayload bool) []byte {
	b := []byte("<item id='" + element.Escape(i.id) + "'>")
	if withPayload {
		b = append(b, i.payload...)
	}
	return append(b, "</item>"...)
}

// admits says whether other may read the node of u and hear of it (XEP-0060 §4.5);
// other may be nil: anybody.
func (n *node) admits(u, other *user) bool {
	if other != nil && u.blocks(other.jid) {
		return false
	}
	switch n.config.Access {
	case accessOpen:
		return true
	case accessPresence:
		return u.isKnownTo(other)
	}
	return u == other
}

func (n *node) item(id string) int {
	return slices.IndexFunc(n.items, func(i nodeItem) bool { return i.id == id })
}

// kept is how many items the node keeps.
func (n *node) kept(l Limits) int {
	switch {
	case !n.config.Persist:
		return 0
	case n.config.MaxItems == 0:
		return l.NodeItems
	}
	return n.config.MaxItems
}

// newNode is one that the user may add.
func (u *user) newNode(name string, c nodeConfig, l Limits) (*node, error) {
	switch {
	case len(name) > maxNodeNameBytes:
		return nil, wire.Fail(stanza.NotAcceptable)
	case len(u.nodes) >= l.Nodes:
		return nil, pubsubFail(stanza.PolicyViolation, "max-nodes-exceeded")
	}
	return &node{name: name, config: c}, nil
}

func (t *turn) addNode(u *user, n *node) {
	u.nodes[n.name] = n
	t.configure(u, n, n.config)
}

// configure sets the configuration of a node, and takes away the items that it
// does not keep any more.
func (t *turn) configure(u *user, n *node, c nodeConfig) {
	n.config = c
	value, err := json.Marshal(c)
	if err != nil {
		panic(err)
	}
	t.put(bucketNodes, u.nodeKey(n), value)
	t.removeItems(u, n, max(0, len(n.items)-n.kept(t.limits)))
}

// mayKeep says whether all that the user has published stays within
// Limits.NodeBytes if the node keeps the item, instead of those that must go.
func (u *user) mayKeep(n *node, i nodeItem, l Limits) bool {
	most := n.kept(l)
	if most == 0 {
		return true
	}
	old := n.item(i.id)
	left := u.nodeBytes + i.size()
	excess := len(n.items) + 1 - most
	if old >= 0 {
		left -= n.items[old].size()
		excess--
	}
	for k := 0; k < excess; k++ {
		if k == old {
			excess++ // it goes anyway
		} else {
			left -= n.items[k].size()
		}
	}
	return left <= l.NodeBytes
}

// keepItem adds an item that mayKeep allows, instead of one of the same id and of
// those that are too many.
func (t *turn) keepItem(u *user, n *node, i nodeItem) {
	most := n.kept(t.limits)
	if most == 0 {
		return
	}
	old := n.item(i.id)
	if len(n.items) > 0 {
		i.number = n.items[len(n.items)-1].number + 1
	}
	t.put(bucketItems, u.itemKey(n, i.id), append(binary.BigEndian.AppendUint64(nil, i.number), i.payload...))
	u.nodeBytes += i.size()
	if old >= 0 {
		u.nodeBytes -= n.items[old].size()
		n.items = slices.Delete(n.items, old, old+1)
	}
	n.items = append(n.items, i)
	t.removeItems(u, n, len(n.items)-most)
}

// removeItems takes the oldest items away; count may be negative.
func (t *turn) removeItems(u *user, n *node, count int) {
	for ; count > 0; count-- {
		t.removeItem(u, n, 0)
	}
}

func (t *turn) removeItem(u *user, n *node, i int) {
	u.nodeBytes -= n.items[i].size()
	t.remove(bucketItems, u.itemKey(n, n.items[i].id))
	n.items = slices.Delete(n.items, i, i+1)
}

func (t *turn) removeNode(u *user, n *node) {
	t.removeItems(u, n, len(n.items)) // before it, since the file never holds an item without its node
	delete(u.nodes, n.name)
	t.remove(bucketNodes, u.nodeKey(n))
}

func (u *user) nodeKey(n *node) string { return u.jid.Localpart() + "\x00" + n.name }

func (u *user) itemKey(n *node, id string) string { return u.nodeKey(n) + "\x00" + id }
