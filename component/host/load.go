package host

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"mellium.im/xmpp/jid"
)

// What the file holds. Keys begin with the localpart of the user whose it is; what
// follows it stands behind a NUL, which no localpart has.
const (
	bucketAccounts = "accounts" // nothing
	bucketRoster   = "roster"   // contact: savedContact as JSON
	bucketRequests = "requests" // who asks: the stanza
	bucketBlocked  = "blocked"  // address: nothing
	bucketMessages = "messages" // number: time in µs and stanza
	bucketVCards   = "vcards"   // the element
	bucketNodes    = "nodes"    // name of the node: nodeConfig as JSON
	bucketItems    = "items"    // name of the node, NUL, id: number and payload
)

func pairKey(u *user, other jid.JID) string { return u.jid.Localpart() + "\x00" + other.String() }

var errDamaged = errors.New("the host's file holds what the host never wrote")

// load reads the file.
func (h *Host) load() error {
	for _, part := range []struct {
		bucket string
		take   func(u *user, rest string, value []byte) error
	}{
		{bucketAccounts, func(*user, string, []byte) error { return nil }},
		{bucketRoster, loadContact},
		{bucketRequests, loadRequest},
		{bucketBlocked, loadBlocked},
		{bucketMessages, h.loadMessage},
		{bucketVCards, loadVCard},
		{bucketNodes, h.loadNode},
		{bucketItems, loadItem},
	} {
		err := h.journal.Load(part.bucket, func(key string, value []byte) error {
			local, rest, _ := strings.Cut(key, "\x00")
			u, err := h.loadUser(local, part.bucket == bucketAccounts)
			if err == nil {
				err = part.take(u, rest, value)
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("%s: %w", part.bucket, err)
		}
	}
	return nil
}

func (h *Host) loadUser(local string, account bool) (*user, error) {
	if u := h.users[local]; u != nil {
		return u, nil
	}
	bare, err := jid.New(local, h.domain.Domainpart(), "")
	if err != nil || !account {
		return nil, errDamaged
	}
	return h.addUser(bare), nil
}

func loadContact(u *user, address string, value []byte) error {
	j, err := jid.Parse(address)
	if err != nil {
		return errDamaged
	}
	c := &contact{jid: j}
	u.roster[address] = c
	if json.Unmarshal(value, &c.saved) != nil {
		return errDamaged
	}
	return nil
}

func loadRequest(u *user, address string, value []byte) error {
	j, err := jid.Parse(address)
	if err != nil {
		return errDamaged
	}
	u.requests[address] = &request{from: j, unit: value}
	return nil
}

func loadBlocked(u *user, address string, _ []byte) error {
	if _, err := jid.Parse(address); err != nil {
		return errDamaged
	}
	u.blocked[address] = struct{}{}
	return nil
}

func (h *Host) loadMessage(u *user, number string, value []byte) error {
	if len(number) != 8 || len(value) < 8 {
		return errDamaged
	}
	m := &message{
		user:   u,
		number: binary.BigEndian.Uint64([]byte(number)),
		stamp:  time.UnixMicro(int64(binary.BigEndian.Uint64(value))),
		unit:   value[8:],
	}
	h.last = max(h.last, m.number)
	u.kept.list = append(u.kept.list, m)
	u.kept.bytes += len(m.unit)
	return nil
}

func loadVCard(u *user, rest string, value []byte) error {
	if rest != "" {
		return errDamaged
	}
	u.vCard = value
	return nil
}

// loadNode takes what was configured under larger limits as what is possible now.
func (h *Host) loadNode(u *user, name string, value []byte) error {
	n := &node{name: name}
	u.nodes[name] = n
	if json.Unmarshal(value, &n.config) != nil {
		return errDamaged
	}
	n.config.MaxItems = min(n.config.MaxItems, h.limits.NodeItems)
	return nil
}

func loadItem(u *user, rest string, value []byte) error {
	name, id, ok := strings.Cut(rest, "\x00")
	n := u.nodes[name]
	if !ok || n == nil || len(value) < 8 {
		return errDamaged
	}
	i := nodeItem{id: id, number: binary.BigEndian.Uint64(value), payload: value[8:]}
	n.items = append(n.items, i)
	slices.SortFunc(n.items, func(a, b nodeItem) int { return cmp.Compare(a.number, b.number) })
	u.nodeBytes += i.size()
	return nil
}
