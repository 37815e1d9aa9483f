package host

import (
	"encoding/json"
	"encoding/xml"
	"slices"
	"strings"
	"unicode/utf8"

	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"

	"xtokend/component/host/wire"
	"xtokend/internal/element"
)

const nsRoster = "jabber:iq:roster"

// Bounds of the texts of a roster item, in bytes; those of a JID's part.
const (
	maxNameBytes  = 1023
	maxGroupBytes = 1023
	maxGroups     = 50
)

// contact is an item of a roster (RFC 6121 §2.1.2).
type contact struct {
	jid   jid.JID // bare
	saved savedContact
}

// savedContact is what the file holds of a contact.
type savedContact struct {
	Name         string   `json:"name,omitempty"`
	Groups       []string `json:"groups,omitempty"`
	Subscription string   `json:"subscription"`  // "none", "to", "from" or "both"
	Ask          bool     `json:"ask,omitempty"` // the user has asked to see the contact
}

// to says whether the user sees the contact's presence.
func (c *contact) to() bool { return c.saved.Subscription == "to" || c.saved.Subscription == "both" }

// from says whether the contact sees the user's.
func (c *contact) from() bool {
	return c.saved.Subscription == "from" || c.saved.Subscription == "both"
}

func (c *contact) set(to, from bool) {
	c.saved.Subscription = [...]string{"none", "to", "from", "both"}[bit(to)+2*bit(from)]
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

type rosterItem struct {
	XMLName      xml.Name `xml:"item"`
	JID          string   `xml:"jid,attr"`
	Name         string   `xml:"name,attr,omitempty"`
	Subscription string   `xml:"subscription,attr"`
	Ask          string   `xml:"ask,attr,omitempty"`
	Groups       []string `xml:"group"`
}

func (c *contact) item() rosterItem {
	i := rosterItem{JID: c.jid.String(), Name: c.saved.Name, Subscription: c.saved.Subscription, Groups: c.saved.Groups}
	if c.saved.Ask {
		i.Ask = "subscribe"
	}
	return i
}

func rosterQuery(items ...rosterItem) []byte {
	return wire.Marshal(struct {
		XMLName xml.Name `xml:"jabber:iq:roster query"`
		Items   []rosterItem
	}{Items: items})
}

// getRoster answers with the whole roster; from then on the session is told of
// changes (RFC 6121 §2.1.3).
func getRoster(t *turn, _ *wire.Stanza, u *user) ([]byte, error) {
	t.session.interested = true
	var items []rosterItem
	for _, c := range u.roster {
		items = append(items, c.item())
	}
	slices.SortFunc(items, func(a, b rosterItem) int { return strings.Compare(a.JID, b.JID) })
	return rosterQuery(items...), nil
}

// setRoster adds, changes or removes one item (RFC 6121 §2.3 to §2.5).
func setRoster(t *turn, st *wire.Stanza, u *user) ([]byte, error) {
	query := st.Payload()
	if len(query.Children) != 1 || query.Children[0].Name != (xml.Name{Space: nsRoster, Local: "item"}) {
		return nil, wire.Fail(stanza.BadRequest)
	}
	item := query.Children[0]
	if item.AttrValue("jid") == "" {
		return nil, wire.Fail(stanza.BadRequest)
	}
	address, err := jid.Parse(item.AttrValue("jid"))
	if err != nil {
		return nil, wire.Fail(stanza.JIDMalformed)
	}
	if address = address.Bare(); address.Equal(u.jid) {
		return nil, wire.Fail(stanza.NotAllowed)
	}
	c := u.roster[address.String()]
	if item.AttrValue("subscription") == "remove" {
		if c == nil {
			return nil, wire.Fail(stanza.ItemNotFound)
		}
		t.removeContact(u, c)
		return nil, nil
	}
	groups, fault := groupsOf(item)
	name := item.AttrValue("name")
	if len(name) > maxNameBytes {
		fault = stanza.NotAcceptable
	}
	if fault != "" {
		return nil, wire.Fail(fault)
	}
	added := c == nil
	if added {
		if c = t.newContact(u, address); c == nil {
			return nil, wire.Fail(stanza.ResourceConstraint)
		}
	}
	before := c.saved
	c.saved.Name, c.saved.Groups = name, groups
	if u.rosterBytes() > t.limits.RosterBytes {
		if c.saved = before; added {
			delete(u.roster, address.String())
		}
		return nil, wire.Fail(stanza.ResourceConstraint)
	}
	t.changed(u, c)
	return nil, nil
}

func groupsOf(item element.Element) ([]string, stanza.Condition) {
	var groups []string
	for _, e := range item.Children {
		switch {
		case e.Name != xml.Name{Space: nsRoster, Local: "group"}:
		case slices.Contains(groups, e.Text):
			return nil, stanza.BadRequest // RFC 6121 §2.3.3
		case e.Text == "", len(e.Text) > maxGroupBytes, !utf8.ValidString(e.Text), len(groups) == maxGroups:
			return nil, stanza.NotAcceptable
		default:
			groups = append(groups, e.Text)
		}
	}
	return groups, ""
}

// rosterBytes is the length of the whole roster as it is sent.
func (u *user) rosterBytes() int {
	sum := 0
	for _, c := range u.roster {
		sum += c.bytes()
	}
	return sum
}

// bytes is what an item takes up in an answer, whatever its subscription.
func (c *contact) bytes() int {
	n := len("<item jid='' name='' subscription='both' ask='subscribe'></item>") + escaped(c.jid.String()) + escaped(c.saved.Name)
	for _, group := range c.saved.Groups {
		n += len("<group></group>") + escaped(group)
	}
	return n
}

func escaped(text string) int { return len(element.Escape(text)) }

// newContact adds an item; it is nil if the user has too many.
func (t *turn) newContact(u *user, address jid.JID) *contact {
	if len(u.roster) >= t.limits.RosterItems {
		return nil
	}
	c := &contact{jid: address, saved: savedContact{Subscription: "none"}}
	u.roster[address.String()] = c
	return c
}

// changed saves an item and tells the sessions that are interested (RFC 6121
// §2.1.6), unless it was taken out.
func (t *turn) changed(u *user, c *contact) {
	if u.roster[c.jid.String()] != c {
		return
	}
	value, err := json.Marshal(c.saved)
	if err != nil {
		panic(err)
	}
	t.put(bucketRoster, pairKey(u, c.jid), value)
	t.push(u, c.item())
}

func (t *turn) push(u *user, item rosterItem) {
	for _, s := range u.sessions {
		if s.interested {
			t.say(s, wire.FromIQ(stanza.IQ{ID: newID(), To: s.jid, Type: stanza.SetIQ}, rosterQuery(item)))
		}
	}
}

// removeContact takes an item out, and ends all subscriptions (RFC 6121 §2.5.2).
func (t *turn) removeContact(u *user, c *contact) {
	delete(u.roster, c.jid.String())
	t.remove(bucketRoster, pairKey(u, c.jid))
	t.push(u, rosterItem{JID: c.jid.String(), Subscription: "remove"})
	other, _ := t.local(c.jid)
	t.unsubscribe(u, c, other)
	t.refuse(u, c, other, c.jid)
}
