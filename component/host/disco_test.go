package host_test

import (
	"runtime/debug"
	"slices"
	"testing"
	"time"

	"mellium.im/xmpp/disco"
	"mellium.im/xmpp/disco/items"
	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/version"
	"mellium.im/xmpp/xtime"

	"xtokend/component/host"
)

func features(info disco.Info) []string {
	var list []string
	for _, f := range info.Features {
		list = append(list, f.Var)
	}
	return list
}

func TestTheServerIsDiscovered(t *testing.T) {
	h := newHost(t, host.Config{Rooms: "rooms.example.org"})
	ctx, s := melliumSession(t, h, "alice")
	server := jid.MustParse(domain)
	info, err := disco.GetInfo(ctx, "", server, s)
	if err != nil {
		t.Fatal(err)
	}
	if len(info.Identity) != 1 || info.Identity[0].Category != "server" || info.Identity[0].Type != "im" {
		t.Errorf("identities %v", info.Identity)
	}
	for _, f := range []string{
		disco.NSInfo, disco.NSItems, "jabber:iq:roster", "jabber:iq:version", "urn:xmpp:ping", "urn:xmpp:time", "vcard-temp", "urn:xmpp:carbons:2", "msgoffline",
	} {
		if !slices.Contains(features(info), f) {
			t.Errorf("no %s among %v", f, features(info))
		}
	}

	list := disco.FetchItems(ctx, items.Item{JID: server}, s)
	var found []string
	for list.Next() {
		found = append(found, list.Item().JID.String())
	}
	if err := list.Close(); err != nil || !slices.Equal(found, []string{"rooms.example.org"}) {
		t.Errorf("items %v, %v", found, err)
	}

	rooms, err := disco.GetInfo(ctx, "", jid.MustParse("rooms.example.org"), s)
	if err != nil || !slices.Contains(features(rooms), "http://jabber.org/protocol/muc") {
		t.Errorf("the rooms: %v, %v", rooms, err)
	}
}

func TestAServerWithoutRoomsHasNoItems(t *testing.T) {
	alice := login(t, newHost(t, host.Config{}), "alice/a")
	alice.send("<iq type='get' id='1' to='example.org'><query xmlns='http://jabber.org/protocol/disco#items'/></iq>")
	alice.expect("<iq type='result' id='1' from='example.org' to='alice@example.org/a'><query xmlns=\"http://jabber.org/protocol/disco#items\"></query></iq>")
}

// Discovery tells who may not see somebody's presence nothing, and the same as of
// somebody who is not there (RFC 6121 §8.5.1). That there is such an account is no
// secret: a vCard or an open node is anybody's to read.
func TestContactsAloneDiscoverAnAccount(t *testing.T) {
	h := newHost(t, host.Config{})
	bob := online(t, h, "bob/b")
	alice := online(t, h, "alice/a")
	alice.send("<presence type='subscribe' to='bob@example.org'/>")
	bob.expect("<presence type='subscribe' …/>")
	bob.send("<presence type='subscribed' to='alice@example.org'/>")
	alice.expect("<presence type='subscribed' …/>")
	alice.expect("<presence from='bob@example.org/b' …/>")
	const ask = "<iq type='get' id='1' to='%s'><query xmlns='http://jabber.org/protocol/disco#%s'/></iq>"
	for _, what := range []string{"info", "items"} {
		for _, other := range []string{"bob@example.org", "alice@example.org"} {
			alice.send(ask, other, what)
			alice.expect("<iq type='result' id='1' from='%s' to='alice@example.org/a'><query xmlns=\"http://jabber.org/protocol/disco#%s\">…</iq>", other, what)
		}
		for _, other := range []string{"alice@example.org", "nobody@example.org"} {
			bob.send(ask, other, what)
			bob.expect("<iq type='error' id='1' from='%s' to='bob@example.org/b'>…<service-unavailable …</iq>", other)
		}
	}
}

func TestUnknownNodesAreNotFound(t *testing.T) {
	alice := login(t, newHost(t, host.Config{}), "alice/a")
	for _, to := range []string{"example.org", "alice@example.org"} {
		for _, what := range []string{"info", "items"} {
			alice.send("<iq type='get' id='1' to='%s'><query xmlns='http://jabber.org/protocol/disco#%s' node='urn:nowhere'/></iq>", to, what)
			alice.expect("<iq type='error' id='1' from='%s' …><item-not-found …</iq>", to)
		}
	}
}

func TestVersion(t *testing.T) {
	ctx, s := melliumSession(t, newHost(t, host.Config{}), "alice")
	got, err := version.Get(ctx, s, jid.MustParse(domain))
	want := "(devel)"
	if info, _ := debug.ReadBuildInfo(); info.Main.Version != "" {
		want = info.Main.Version
	}
	if err != nil || got.Name != "xtokend" || got.Version != want || got.OS != "" {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestTime(t *testing.T) {
	now := time.Date(2026, 7, 1, 12, 0, 0, 0, time.FixedZone("", 7200))
	ctx, s := melliumSession(t, newHost(t, host.Config{Now: func() time.Time { return now }}), "alice")
	got, err := xtime.Get(ctx, s, jid.MustParse(domain))
	if _, offset := got.Zone(); err != nil || !got.Equal(now) || offset != 0 {
		t.Errorf("got %v, %v", got, err)
	}
}
