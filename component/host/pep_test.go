package host_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mellium.im/xmlstream"
	"mellium.im/xmpp/disco"
	"mellium.im/xmpp/disco/info"
	"mellium.im/xmpp/disco/items"
	"mellium.im/xmpp/pubsub"
	"mellium.im/xmpp/stanza"

	"xtokend/component/host"
	"xtokend/component/host/wire"
)

const (
	pubsubSet   = "<iq type='set' id='1'><pubsub xmlns='http://jabber.org/protocol/pubsub'>%s</pubsub></iq>"
	pubsubOwner = "<iq type='set' id='1'><pubsub xmlns='http://jabber.org/protocol/pubsub#owner'>%s</pubsub></iq>"
	pubsubItems = "<iq type='get' id='1' to='%s@example.org'><pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='%s'%s</pubsub></iq>"
	done        = "<iq type='result' id='1' …>"
)

// options are publish-options.
func options(values ...string) string {
	return "<publish-options>" + submission("publish-options", values...) + "</publish-options>"
}

// configuration is the configuration of a node, which may be that to create.
func configuration(node string, values ...string) string {
	return "<configure node='" + node + "'>" + submission("node_config", values...) + "</configure>"
}

func submission(kind string, values ...string) string {
	var b strings.Builder
	b.WriteString("<x xmlns='jabber:x:data' type='submit'>" +
		"<field var='FORM_TYPE'><value>http://jabber.org/protocol/pubsub#" + kind + "</value></field>")
	for _, v := range values {
		field, value, _ := strings.Cut(v, "=")
		fmt.Fprintf(&b, "<field var='pubsub#%s'><value>%s</value></field>", field, value)
	}
	return b.String() + "</x>"
}

func publication(node, id, text string) string {
	return fmt.Sprintf("<publish node='%s'><item id='%s'><note xmlns='urn:note'>%s</note></item></publish>", node, id, text)
}

// publish publishes a note under an id, with options.
func (c *client) publish(node, id, text string, opts ...string) {
	c.t.Helper()
	extra := ""
	if len(opts) > 0 {
		extra = options(opts...)
	}
	c.send(pubsubSet, publication(node, id, text)+extra)
}

func (c *client) published(node, id string) {
	c.t.Helper()
	c.expect("<iq type='result' id='1' to='%s'><pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='%s'><item id='%s'/></publish></pubsub></iq>", c.jid(), node, id)
}

// wantItems asks for items; query is what follows the name of the node.
func (c *client) wantItems(owner, node, query string, notes ...string) {
	c.t.Helper()
	c.send(pubsubItems, owner, node, query)
	var b strings.Builder
	for _, n := range notes {
		id, text, _ := strings.Cut(n, "=")
		fmt.Fprintf(&b, "<item id='%s'><note xmlns='urn:note'>%s</note></item>", id, text)
	}
	c.expect("<iq type='result' id='1' from='%s@example.org' to='%s'><pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='%s'>%s</items></pubsub></iq>",
		owner, c.jid(), node, b.String())
}

// wantNodes asks which nodes the user has.
func (c *client) wantNodes(nodes ...string) {
	c.t.Helper()
	bare, _, _ := strings.Cut(c.jid(), "/")
	c.send("<iq type='get' id='1'><query xmlns='http://jabber.org/protocol/disco#items'/></iq>")
	var b strings.Builder
	for _, n := range nodes {
		fmt.Fprintf(&b, "<item jid=\"%s\" node=\"%s\"></item>", bare, n)
	}
	c.expect("<iq type='result' …<query xmlns=\"http://jabber.org/protocol/disco#items\">%s</query></iq>", b.String())
}

func (c *client) wantFault(condition string) {
	c.t.Helper()
	c.expect("<iq type='error' id='1' …<%s…</iq>", condition)
}

func TestTheLastItemIsKept(t *testing.T) {
	h := newHost(t, host.Config{})
	alice := login(t, h, "alice/a")
	alice.send(pubsubItems, "alice", "urn:note", "/>")
	alice.wantFault("item-not-found")
	alice.publish("urn:note", "a", "one &amp; only")
	alice.published("urn:note", "a")
	alice.wantItems("alice", "urn:note", "/>", "a=one &amp; only")
	alice.publish("urn:note", "b", "two")
	alice.published("urn:note", "b")
	alice.wantItems("alice", "urn:note", " max_items='1'/>", "b=two")
	alice.publish("urn:note", "b", "three")
	alice.published("urn:note", "b")
	alice.wantItems("alice", "urn:note", "/>", "b=three")
	alice.send(pubsubSet, "<publish node='urn:other'><item><x/></item></publish>")
	got := alice.expect(done)
	_, id, _ := strings.Cut(got, "<item id='")
	id, _, _ = strings.Cut(id, "'")
	alice.send(pubsubItems, "alice", "urn:other", "><item id='"+id+"'/></items>")
	alice.expect("<iq …><item id='%s'><x xmlns='http://jabber.org/protocol/pubsub'/></item>…</iq>", id)
}

// What is published in no namespace is read there, whatever is around it.
func TestAnItemInNoNamespace(t *testing.T) {
	alice := login(t, newHost(t, host.Config{}), "alice/a")
	for _, pubsub := range []string{
		"<p:pubsub xmlns:p='http://jabber.org/protocol/pubsub'><p:publish node='n'><p:item id='a' xmlns=''><x/></p:item></p:publish></p:pubsub>",
		"<p:pubsub xmlns='' xmlns:p='http://jabber.org/protocol/pubsub'><p:publish node='n'><p:item id='a'><x/></p:item></p:publish></p:pubsub>",
	} {
		alice.send("<iq type='set' id='1'>" + pubsub + "</iq>")
		alice.published("n", "a")
		alice.send(pubsubItems, "alice", "n", "/>")
		alice.expect("<iq …><item id='a'><x xmlns=''/></item>…")
	}
}

// An element is looked through for each prefix that is declared around it.
func TestPrefixesAreBounded(t *testing.T) {
	alice := login(t, newHost(t, host.Config{}), "alice/a")
	prefixes := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, " xmlns:p%d='urn:p'", i)
		}
		return b.String()
	}
	const request = "<iq type='set' id='1'%s><pubsub xmlns='http://jabber.org/protocol/pubsub'%s>" +
		"<publish node='n'><item id='a'><x/></item></publish></pubsub></iq>"
	alice.send(request, prefixes(wire.MaxDeclarations), prefixes(wire.MaxDeclarations))
	alice.published("n", "a")
	alice.send(request, prefixes(wire.MaxDeclarations+1), "")
	alice.wantFault("bad-request")
	alice.send(request, "", prefixes(wire.MaxDeclarations+1))
	alice.wantFault("bad-request …<invalid-payload")
}

// As bookmarks (XEP-0402) and bundles of OMEMO (XEP-0384) are published.
func TestSeveralItemsAreKeptIfAskedFor(t *testing.T) {
	alice := login(t, newHost(t, host.Config{Limits: host.Limits{NodeItems: 4}}), "alice/a")
	opts := []string{"persist_items=true", "max_items=max", "send_last_published_item=never", "access_model=whitelist"}
	for i := range 6 {
		id := fmt.Sprint(i % 5)
		alice.publish("urn:xmpp:bookmarks:1", id, fmt.Sprint(i), opts...)
		alice.published("urn:xmpp:bookmarks:1", id)
	}
	alice.wantItems("alice", "urn:xmpp:bookmarks:1", "/>", "2=2", "3=3", "4=4", "0=5")
	alice.publish("urn:xmpp:bookmarks:1", "3", "again", opts...)
	alice.published("urn:xmpp:bookmarks:1", "3")
	alice.wantItems("alice", "urn:xmpp:bookmarks:1", "></items>", "2=2", "4=4", "0=5", "3=again")
	alice.wantItems("alice", "urn:xmpp:bookmarks:1", " max_items='2'/>", "0=5", "3=again")
	alice.wantItems("alice", "urn:xmpp:bookmarks:1", "><item id='3'/><item id='none'/><item id='2'/><item id='3'/></items>", "3=again", "2=2")
	alice.send(pubsubSet, "<retract node='urn:xmpp:bookmarks:1' notify='true'><item id='4'/></retract>")
	alice.expect("<iq type='result' id='1' to='alice@example.org/a'/>")
	alice.wantItems("alice", "urn:xmpp:bookmarks:1", "/>", "2=2", "0=5", "3=again")
	alice.send(pubsubOwner, configuration("urn:xmpp:bookmarks:1", "max_items=1"))
	alice.expect(done)
	alice.wantItems("alice", "urn:xmpp:bookmarks:1", "/>", "3=again")
	alice.send(pubsubOwner, "<purge node='urn:xmpp:bookmarks:1'/>")
	alice.expect(done)
	alice.wantItems("alice", "urn:xmpp:bookmarks:1", "/>")
	alice.send(pubsubOwner, "<delete node='urn:xmpp:bookmarks:1'/>")
	alice.expect(done)
	alice.send(pubsubItems, "alice", "urn:xmpp:bookmarks:1", "/>")
	alice.wantFault("item-not-found")
}

func TestOptionsArePreconditions(t *testing.T) {
	alice := login(t, newHost(t, host.Config{}), "alice/a")
	for _, opts := range [][]string{{"access_model=roster"}, {"max_items=9999"}, {"max_items=0"}, {"max_items=-1"}, {"persist_items=perhaps"}, {"publish_model=open"}} {
		alice.publish("urn:note", "a", "one", opts...)
		alice.wantFault("not-acceptable")
		alice.send(pubsubItems, "alice", "urn:note", "/>")
		alice.wantFault("item-not-found")
	}
	alice.publish("urn:note", "a", "one", "item_expire=60")
	alice.wantFault("precondition-not-met")
	alice.publish("urn:note", "a", "one", "access_model=open", "max_items=3")
	alice.published("urn:note", "a")
	for _, opts := range [][]string{{"access_model=whitelist"}, {"max_items=max"}, {"item_expire=60"}, {"access_model=open", "persist_items=false"}} {
		alice.publish("urn:note", "a", "two", opts...)
		alice.expect("<iq type='error' id='1' …<error …type=\"cancel\"><conflict …<precondition-not-met xmlns='http://jabber.org/protocol/pubsub#errors'/></error></iq>")
	}
	for _, opts := range [][]string{{"access_model=open", "persist_items=1", "title="}, {"max_items=3"}, {}} {
		alice.publish("urn:note", "a", "three", opts...)
		alice.published("urn:note", "a")
	}
}

// As converse.js answers precondition-not-met: it sends back all that it was told,
// without the values of lists, and what it wants.
func TestAConfigurationIsSentBack(t *testing.T) {
	ctx, s := melliumSession(t, newHost(t, host.Config{}), "alice")
	const node = "urn:note"
	if _, err := pubsub.Publish(ctx, s, node, "a", note("one")); err != nil {
		t.Fatal(err)
	}
	config, err := pubsub.GetConfig(ctx, s, node)
	if err != nil {
		t.Fatal(err)
	}
	for field, want := range map[string]string{"pubsub#access_model": "presence", "pubsub#max_items": "1", "pubsub#send_last_published_item": "on_sub_and_presence"} {
		if got, _ := config.GetString(field); got != want {
			t.Errorf("%s is %q, wants %q", field, got, want)
		}
	}
	defaults, err := pubsub.GetDefaultConfig(ctx, s)
	if err != nil || defaults.Len() != config.Len() {
		t.Errorf("%d defaults, %v; %d values", defaults.Len(), err, config.Len())
	}
	if ok, err := config.Set("pubsub#max_items", "max"); !ok || err != nil {
		t.Fatal(err)
	}
	if err := pubsub.SetConfig(ctx, s, node, config); err != nil {
		t.Fatal(err)
	}
	if err := pubsub.CreateNode(ctx, s, "urn:made", config); err != nil {
		t.Fatal(err)
	}
	for _, n := range []string{node, "urn:made"} {
		if config, err = pubsub.GetConfig(ctx, s, n); err != nil {
			t.Fatal(err)
		}
		if got, _ := config.GetString("pubsub#max_items"); got != "max" {
			t.Errorf("%s: max_items is %q", n, got)
		}
	}
	if err := pubsub.CreateNode(ctx, s, "urn:made", nil); !errors.Is(err, stanza.Error{Condition: stanza.Conflict}) {
		t.Errorf("made twice: %v", err)
	}
	if err := pubsub.CreateNode(ctx, s, "", nil); err != nil {
		t.Errorf("an instant node: %v", err)
	}
}

func note(text string) xml.TokenReader {
	return xmlstream.Wrap(xmlstream.Token(xml.CharData(text)), xml.StartElement{Name: xml.Name{Space: "urn:note", Local: "note"}})
}

func TestAnotherReadsWithItsOwnCode(t *testing.T) {
	h := newHost(t, host.Config{})
	login(t, h, "bob/b").publish("urn:note", "b", "of Bob", "access_model=open")
	ctx, s := melliumSession(t, h, "alice")
	for _, id := range []string{"", "b"} {
		given, err := pubsub.Publish(ctx, s, "urn:note", id, note("<&>"))
		if err != nil || id != "" && given != id {
			t.Fatalf("id %q, %v", given, err)
		}
		list := pubsub.Fetch(ctx, s, pubsub.Query{Node: "urn:note", MaxItems: 1})
		if !list.Next() {
			t.Fatalf("no item, %v", list.Err())
		}
		got, r := list.Item()
		var n struct {
			Text string `xml:",chardata"`
		}
		if err := xml.NewTokenDecoder(r).Decode(&n); err != nil || n.Text != "<&>" || got != given {
			t.Errorf("item %q is %q, %v", got, n.Text, err)
		}
		if err := list.Close(); err != nil {
			t.Error(err)
		}
	}
	own := s.LocalAddr().Bare()
	isPEP := func(i info.Identity) bool { return i.Category == "pubsub" && i.Type == "pep" }
	account, err := disco.GetInfo(ctx, "", own, s)
	if err != nil || !slices.Contains(features(account), pubsub.NS+"#publish-options") || !slices.ContainsFunc(account.Identity, isPEP) {
		t.Errorf("%v, %v", account, err)
	}
	leaf, err := disco.GetInfo(ctx, "urn:note", own, s)
	if err != nil || len(leaf.Identity) != 1 || leaf.Identity[0].Type != "leaf" || len(leaf.Form) != 1 {
		t.Errorf("%v, %v", leaf, err)
	}
	for _, tc := range []struct {
		item items.Item
		want items.Item
	}{
		{items.Item{JID: own}, items.Item{JID: own, Node: "urn:note"}},
		{items.Item{JID: own, Node: "urn:note"}, items.Item{JID: own, Name: "b"}},
	} {
		list := disco.FetchItems(ctx, tc.item, s)
		if !list.Next() || list.Item().JID.String() != tc.want.JID.String() || list.Item().Node != tc.want.Node || list.Item().Name != tc.want.Name || list.Next() {
			t.Errorf("items of %q: %v", tc.item.Node, list.Item())
		}
		list.Close()
	}
	if err := pubsub.Delete(ctx, s, "urn:note", "b", true); err != nil {
		t.Error(err)
	}
	if err := pubsub.Delete(ctx, s, "urn:note", "b", true); !errors.Is(err, stanza.Error{Condition: stanza.ItemNotFound}) {
		t.Errorf("retracted twice: %v", err)
	}
}

func TestWhoMayRead(t *testing.T) {
	h := newHost(t, host.Config{})
	alice, bob, carol := online(t, h, "alice/a"), online(t, h, "bob/b"), online(t, h, "carol/c")
	befriend(alice, bob)
	for _, access := range []string{"presence", "open", "whitelist"} {
		alice.publish("urn:"+access, "a", "one", "access_model="+access)
		alice.published("urn:"+access, "a")
		alice.wantItems("alice", "urn:"+access, "/>", "a=one")
	}
	bob.wantItems("alice", "urn:presence", "/>", "a=one")
	bob.wantItems("alice", "urn:open", "/>", "a=one")
	carol.wantItems("alice", "urn:open", "/>", "a=one")
	for _, tc := range []struct {
		who               *client
		owner, node, want string
	}{
		{bob, "alice", "urn:whitelist", "not-allowed …<closed-node"},
		{bob, "alice", "urn:none", "item-not-found"},
		{carol, "alice", "urn:presence", "not-authorized …<presence-subscription-required"},
		{carol, "alice", "urn:none", "not-authorized …<presence-subscription-required"},
		{carol, "alice", "urn:whitelist", "not-authorized …<presence-subscription-required"},
		{carol, "nobody", "urn:none", "service-unavailable"},
	} {
		tc.who.send(pubsubItems, tc.owner, tc.node, "/>")
		tc.who.wantFault(tc.want)
	}
	for _, request := range []string{publication("urn:open", "a", "forged"), "<retract node='urn:open'><item id='a'/></retract>", "<create node='urn:x'/>"} {
		bob.send(strings.Replace(fmt.Sprintf(pubsubSet, request), "<iq ", "<iq to='alice@example.org' ", 1))
		bob.wantFault("forbidden")
	}
	for _, request := range []string{"<delete node='urn:open'/>", "<purge node='urn:open'/>", "<configure node='urn:open'/>"} {
		bob.send(strings.Replace(fmt.Sprintf(pubsubOwner, request), "<iq ", "<iq to='alice@example.org' ", 1))
		bob.wantFault("forbidden")
	}
	bob.send("<iq type='get' id='1' to='alice@example.org'><query xmlns='http://jabber.org/protocol/disco#items'/></iq>")
	bob.expect("<iq …><item jid=\"alice@example.org\" node=\"urn:open\"></item><item jid=\"alice@example.org\" node=\"urn:presence\"></item></query></iq>")
	for _, what := range []string{"info", "items"} {
		for _, node := range []string{"urn:whitelist", "urn:none"} {
			request := fmt.Sprintf("<iq type='get' id='1' to='alice@example.org'><query xmlns='http://jabber.org/protocol/disco#%s' node='%s'/></iq>", what, node)
			bob.send(request)
			bob.wantFault("item-not-found")
			carol.send(request)
			carol.wantFault("service-unavailable")
		}
	}
}

// Somebody in a room may be asked about, but does not give away that the asker
// knows him.
func TestOccupantsAreAskedAbout(t *testing.T) {
	h := newHost(t, host.Config{Rooms: rooms})
	alice, bob := online(t, h, "alice/a"), online(t, h, "bob/b")
	befriend(alice, bob)
	alice.send("<iq type='set' id='1'><vCard xmlns='vcard-temp'><FN>Alice</FN></vCard></iq>")
	alice.expect(done)
	for _, access := range []string{"open", "presence", "whitelist"} {
		alice.publish("urn:"+access, "a", "one", "access_model="+access)
		alice.published("urn:"+access, "a")
	}
	alice.enter("room", "A")
	alice.send("<iq type='set' id='1' to='room@rooms.example.org'><query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'/></query></iq>")
	alice.expect("<iq type='result' id='1' from='room@rooms.example.org' …/>")
	bob.enter("room", "B")
	ask := func(request string) {
		bob.send("<iq type='get' id='1' to='room@rooms.example.org/A'>" + request + "</iq>")
	}
	const pubsubGet = "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='urn:%s'/></pubsub>"
	ask("<vCard xmlns='vcard-temp'/>")
	bob.expect("<iq type='result' id='1' from='room@rooms.example.org/A' …><vCard xmlns='vcard-temp'><FN>Alice</FN></vCard></iq>")
	ask(fmt.Sprintf(pubsubGet, "open"))
	bob.expect("<iq type='result' id='1' from='room@rooms.example.org/A' …>…<note xmlns='urn:note'>one</note>…</iq>")
	for _, node := range []string{"presence", "whitelist", "none"} {
		ask(fmt.Sprintf(pubsubGet, node))
		bob.wantFault("not-authorized")
	}
}

func TestRequestsThatAreRefused(t *testing.T) {
	for _, tc := range []struct{ name, payload, want string }{
		{"nothing", "", "bad-request"},
		{"subscribe", "<subscribe node='urn:note' jid='alice@example.org'/>", "feature-not-implemented …<unsupported xmlns='http://jabber.org/protocol/pubsub#errors' feature='subscribe'/>"},
		{"unknown", "<x/>", "feature-not-implemented"},
		{"publish without node", "<publish><item><x/></item></publish>", "bad-request …<nodeid-required"},
		{"publish nothing", "<publish node='urn:note'/>", "bad-request …<item-required"},
		{"publish without payload", "<publish node='urn:note'><item/></publish>", "bad-request …<payload-required"},
		{"two payloads", "<publish node='urn:note'><item><x/><y/></item></publish>", "bad-request …<invalid-payload"},
		{"two items", "<publish node='urn:note'><item><x/></item><item><x/></item></publish>", "bad-request …<max-items-exceeded"},
		{"retract without id", "<retract node='urn:note'><item/></retract>", "bad-request …<item-required"},
		{"retract nothing", "<retract node='urn:note'/>", "bad-request …<item-required"},
		{"retract what is no item", "<retract node='urn:note'><x id='a'/></retract>", "bad-request …<item-required"},
		{"retract one that is not there", "<retract node='urn:note'><item id='a'/><item id='b'/></retract>", "item-not-found"},
		{"retract one without id", "<retract node='urn:note'><item id='a'/><item/></retract>", "bad-request …<item-required"},
		{"retract what is not there", "<retract node='urn:note'><item id='b'/></retract>", "item-not-found"},
		{"retract from nowhere", "<retract node='urn:none'><item id='a'/></retract>", "item-not-found"},
		{"create what is there", "<create node='urn:note'/>", "conflict"},
		{"create with an unknown setting", "<create node='urn:x'/>" + configuration("", "item_expire=60"), "not-acceptable"},
		{"create with an unknown access model", "<create node='urn:x'/>" + configuration("", "access_model=authorize"), "not-acceptable …<unsupported-access-model"},
		{"create with a title too long", "<create node='urn:x'/>" + configuration("", "title="+strings.Repeat("n", 256)), "not-acceptable"},
		{"create with a form of another kind", "<create node='urn:x'/><configure>" + submission("publish-options") + "</configure>", "bad-request"},
		{"create with a name too long", "<create node='" + strings.Repeat("n", 256) + "'/>", "not-acceptable"},
		{"name too long", publication(strings.Repeat("n", 256), "a", ""), "not-acceptable"},
		{"id too long", publication("urn:x", strings.Repeat("n", 1024), "") + options("access_model=open"), "not-acceptable"},
		{"options of another kind", publication("urn:x", "a", "") + "<publish-options>" + submission("node_config") + "</publish-options>", "bad-request"},
		{"options that are not submitted", publication("urn:x", "a", "") + strings.Replace(options(), "submit", "cancel", 1), "bad-request"},
		{"an option twice", publication("urn:x", "a", "") + options("access_model=whitelist", "access_model=open"), "bad-request"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			alice := login(t, newHost(t, host.Config{}), "alice/a")
			alice.publish("urn:note", "a", "one")
			alice.published("urn:note", "a")
			alice.send(pubsubSet, tc.payload)
			alice.wantFault(tc.want)
			alice.wantItems("alice", "urn:note", "/>", "a=one")
			alice.wantNodes("urn:note")
		})
	}
}

func TestOwnersRequestsThatAreRefused(t *testing.T) {
	alice := login(t, newHost(t, host.Config{}), "alice/a")
	alice.publish("urn:note", "a", "one")
	alice.published("urn:note", "a")
	for _, request := range []string{"<delete node='urn:none'/>", "<purge node='urn:none'/>", "<configure node='urn:none'/>"} {
		alice.send(pubsubOwner, request)
		alice.wantFault("item-not-found")
	}
	alice.send(pubsubOwner, "<configure node='urn:note'/>")
	alice.wantFault("bad-request")
	for _, form := range []string{submission("publish-options"), strings.Replace(submission("node_config"), "submit", "result", 1),
		"<x xmlns='jabber:x:data'/>", submission("node_config", "title=a", "title=a")} {
		alice.send(pubsubOwner, "<configure node='urn:note'>"+form+"</configure>")
		alice.wantFault("bad-request")
	}
	alice.send(pubsubOwner, "<configure node='urn:note'><x xmlns='jabber:x:data' type='cancel'><field var='pubsub#max_items'><value>x</value></field></x></configure>")
	alice.expect(done)
	alice.send(pubsubItems, "alice", "urn:note", " max_items='x'/>")
	alice.wantFault("bad-request")
	alice.wantItems("alice", "urn:note", "/>", "a=one")
}

func TestWhatIsPublishedIsBounded(t *testing.T) {
	payload := func(n int) string {
		const empty = "<note xmlns='urn:note'></note>"
		return strings.Repeat("x", n-len(empty))
	}
	t.Run("item", func(t *testing.T) {
		alice := login(t, newHost(t, host.Config{Limits: host.Limits{ItemBytes: 100}}), "alice/a")
		alice.publish("urn:note", "a", payload(100))
		alice.published("urn:note", "a")
		alice.publish("urn:note", "a", payload(101))
		alice.wantFault("not-acceptable …<payload-too-big")
	})
	t.Run("nodes", func(t *testing.T) {
		alice := login(t, newHost(t, host.Config{Limits: host.Limits{Nodes: 2}}), "alice/a")
		for _, node := range []string{"urn:1", "urn:2", "urn:1"} {
			alice.publish(node, "a", "one")
			alice.published(node, "a")
		}
		alice.publish("urn:3", "a", "one")
		alice.wantFault("policy-violation …<max-nodes-exceeded")
		alice.send(pubsubSet, "<create/>")
		alice.wantFault("policy-violation …<max-nodes-exceeded")
		alice.send(pubsubOwner, "<delete node='urn:2'/>")
		alice.expect(done)
		alice.send(pubsubSet, "<create node='urn:3'/>")
		alice.expect(done)
	})
	t.Run("all bytes", func(t *testing.T) {
		const size = 100 + len("<item id='a'></item>")
		alice := login(t, newHost(t, host.Config{Limits: host.Limits{NodeBytes: 3 * size, NodeItems: 5}}), "alice/a")
		for i, id := range []string{"a", "b", "c", "a"} {
			alice.publish("urn:note", id, payload(100-i), "max_items=max")
			alice.published("urn:note", id)
		}
		alice.publish("urn:other", "d", payload(100), "access_model=open")
		alice.wantFault("resource-constraint")
		alice.wantNodes("urn:note")
		alice.publish("urn:note", "d", payload(100), "max_items=max")
		alice.wantFault("resource-constraint")
		alice.send(pubsubSet, "<retract node='urn:note'><item id='b'/></retract>")
		alice.expect(done)
		alice.publish("urn:other", "d", payload(100))
		alice.published("urn:other", "d")
		alice.publish("urn:other", "e", payload(101)) // instead of d
		alice.published("urn:other", "e")
		alice.send(pubsubOwner, "<delete node='urn:note'/>")
		alice.expect(done)
		alice.publish("urn:other", "f", payload(3*size-len("<item id='a'></item>")))
		alice.published("urn:other", "f")
	})
}

// However their names and titles are written, a list of all nodes reaches its
// reader.
func TestAListOfAllNodesIsBounded(t *testing.T) {
	alice := login(t, newHost(t, host.Config{}), "alice/a")
	const nodes, nameBytes = 200, 255
	title := strings.Repeat("&quot;", nameBytes)
	for i := range nodes {
		name := fmt.Sprintf("%03d", i) + strings.Repeat("&quot;", nameBytes-3)
		alice.send(pubsubSet, "<create node='"+name+"'/>"+configuration("", "title="+title))
		alice.expect(done)
	}
	alice.send("<iq type='get' id='1'><query xmlns='http://jabber.org/protocol/disco#items'/></iq>")
	if got := alice.next(); strings.Count(got, "<item ") != nodes {
		t.Errorf("%d bytes, %d nodes", len(got), strings.Count(got, "<item "))
	}
}

func TestSeveralItemsAreRetracted(t *testing.T) {
	alice := listens(t, newHost(t, host.Config{}), "alice/a", "urn:note")
	for _, id := range []string{"a", "b", "c"} {
		alice.publish("urn:note", id, id, "max_items=max")
		alice.published("urn:note", id)
		alice.expect(noteEvent("urn:note", id, id))
	}
	alice.send(pubsubSet, "<retract node='urn:note' notify='true'><item id='c'/><item id='a'/><item id='c'/></retract>")
	alice.expect(done)
	alice.expect(event("<items node='urn:note'><retract id='c'/><retract id='a'/></items>"))
	alice.wantItems("alice", "urn:note", "/>", "b=b")
}

func TestWhatOthersAreToldOfANode(t *testing.T) {
	alice := login(t, newHost(t, host.Config{}), "alice/a")
	const settings = "title=Notes|description=Of Alice|type=urn:note|access_model=open|publish_model=publishers"
	alice.send(pubsubSet, "<create node='urn:note'/>"+configuration("", append(strings.Split(settings, "|"), "max_items=7")...))
	alice.expect(done)
	const ask = "<iq type='get' id='1'><query xmlns='http://jabber.org/protocol/disco#info' node='urn:note'/></iq>"
	field := func(name, value string) string {
		return "<field var=\"pubsub#" + name + "\"><value>" + value + "</value></field>"
	}
	want := func(settings string) {
		t.Helper()
		var b strings.Builder
		for setting := range strings.SplitSeq(settings, "|") {
			name, value, _ := strings.Cut(setting, "=")
			b.WriteString(field(name, value))
		}
		alice.send(ask)
		alice.expect("<iq …<x xmlns=\"jabber:x:data\" type=\"result\"><field var=\"FORM_TYPE\" type=\"hidden\">" +
			"<value>http://jabber.org/protocol/pubsub#meta-data</value></field>" + b.String() + "</x></query></iq>")
	}
	want(settings)
	// An empty text is one, an empty choice is none.
	alice.send(pubsubOwner, configuration("urn:note", "title=", "type=", "access_model=", "max_items=", "persist_items="))
	alice.expect(done)
	want("description=Of Alice|access_model=open|publish_model=publishers")
}

func TestANodeThatKeepsNothing(t *testing.T) {
	alice := login(t, newHost(t, host.Config{}), "alice/a")
	alice.publish("urn:note", "a", "one", "persist_items=false")
	alice.published("urn:note", "a")
	alice.wantItems("alice", "urn:note", "/>")
}

// An administrator may lower the limits below what users have already.
func TestLowerLimits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "host.db")
	h := newHost(t, host.Config{Path: path})
	alice := login(t, h, "alice/a")
	for i := range 5 {
		alice.publish("urn:note", fmt.Sprint(i), "one", "max_items=200")
		alice.published("urn:note", fmt.Sprint(i))
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	const size = len("<item id='0'><note xmlns='urn:note'>one</note></item>")
	alice = login(t, newHost(t, host.Config{Path: path, Limits: host.Limits{NodeItems: 2, NodeBytes: 2 * size}}), "alice/a")
	alice.publish("urn:other", "a", "")
	alice.wantFault("resource-constraint") // what is there counts
	alice.send("<iq type='get' id='1'><pubsub xmlns='http://jabber.org/protocol/pubsub#owner'><configure node='urn:note'/></pubsub></iq>")
	alice.expect("<iq …<field var=\"pubsub#max_items\"…><value>2</value></field>…</iq>")
	alice.publish("urn:note", "0", "two", "max_items=2") // the oldest of five is published again, and one other is left
	alice.published("urn:note", "0")
	alice.wantItems("alice", "urn:note", "/>", "4=one", "0=two")
	alice.send(pubsubOwner, configuration("urn:note", "access_model=open"))
	alice.expect(done)
	alice.send(pubsubOwner, configuration("urn:note", "max_items=3"))
	alice.wantFault("not-acceptable")
}

// What a node was configured to be after items were published there is kept too.
func TestAConfigurationSurvivesARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "host.db")
	h := newHost(t, host.Config{Path: path})
	alice := login(t, h, "alice/a")
	alice.publish("urn:note", "a", "one")
	alice.published("urn:note", "a")
	alice.send(pubsubOwner, configuration("urn:note", "access_model=open"))
	alice.expect(done)
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	login(t, newHost(t, host.Config{Path: path}), "bob/b").wantItems("alice", "urn:note", "/>", "a=one")
}

func TestPublishedItemsSurviveARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "host.db")
	h := newHost(t, host.Config{Path: path})
	alice := login(t, h, "alice/a")
	for i := range 12 {
		alice.publish("urn:xmpp:bookmarks:1", fmt.Sprint(i), fmt.Sprint(i), "max_items=10", "access_model=open")
		alice.published("urn:xmpp:bookmarks:1", fmt.Sprint(i))
	}
	alice.publish("urn:note", "a", "one")
	alice.published("urn:note", "a")
	alice.publish("urn:gone", "a", "one")
	alice.published("urn:gone", "a")
	alice.send(pubsubOwner, "<delete node='urn:gone'/>")
	alice.expect(done)
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	h = newHost(t, host.Config{Path: path})
	bob := login(t, h, "bob/b")
	want := []string{"2=2", "3=3", "4=4", "5=5", "6=6", "7=7", "8=8", "9=9", "10=10", "11=11"}
	bob.wantItems("alice", "urn:xmpp:bookmarks:1", "/>", want...)
	alice = login(t, h, "alice/a")
	alice.publish("urn:xmpp:bookmarks:1", "12", "12", "max_items=10")
	alice.published("urn:xmpp:bookmarks:1", "12")
	bob.wantItems("alice", "urn:xmpp:bookmarks:1", "/>", append(want[1:], "12=12")...)
	alice.wantItems("alice", "urn:note", "/>", "a=one")
	alice.send(pubsubItems, "alice", "urn:gone", "/>")
	alice.wantFault("item-not-found")
}
