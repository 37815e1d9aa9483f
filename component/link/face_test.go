package link_test

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"xtokend/component/link"
	"xtokend/internal/peertest"
)

// clock stands still until it is advanced.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// converse runs a link, changed by change, whose server plays a script.
func converse(t *testing.T, change func(*link.Config), script func(*peertest.Peer)) *running {
	t.Helper()
	done := make(chan struct{})
	address := peertest.Serve(t, func(p *peertest.Peer) {
		accept(p)
		script(p)
		close(done)
		p.Rest()
	})
	l := run(t, address, "s", change)
	<-done
	return l
}

// ask sends a request to the component and returns its answer, which must be the
// next thing that it says.
func ask(p *peertest.Peer, kind, from, id, body string) string {
	p.T.Helper()
	answer(p, kind, " from='"+from+"'", id, body)
	return heard(p, from, id)
}

func heard(p *peertest.Peer, to, id string) string {
	p.T.Helper()
	got := p.Expect(`(<iq .*?</iq>)`)
	for _, want := range []string{fmt.Sprintf("id=%q", id), fmt.Sprintf("to=%q", to)} {
		if !strings.Contains(got, want) {
			p.T.Errorf("%s lacks %s", got, want)
		}
	}
	return got
}

func contains(t *testing.T, got string, want ...string) {
	t.Helper()
	for _, text := range want {
		if !strings.Contains(got, text) {
			t.Errorf("%s lacks %s", got, text)
		}
	}
}

const (
	ping    = "<ping xmlns='urn:xmpp:ping'/>"
	mallory = "mallory@example.org/x"
	nsInfo  = "http://jabber.org/protocol/disco#info"
	nsItems = "http://jabber.org/protocol/disco#items"
	nsCmds  = "http://jabber.org/protocol/commands"
)

func query(ns, node string) string { return "<query xmlns='" + ns + "' node='" + node + "'/>" }

// What a user of any server sends to the component must not cost the connection.
func TestStanzasOfUsersDoNotEndTheLink(t *testing.T) {
	const (
		depth    = 80_000 // of <a></a>: more than a server passes on
		nsStream = "http://etherx.jabber.org/streams"
	)
	for name, body := range map[string]string{
		"deep":                      strings.Repeat("<a>", depth) + strings.Repeat("</a>", depth),
		"stream error":              "<error xmlns='" + nsStream + "'><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></error>",
		"stream error, deeper":      "<a><b/><error xmlns='http://etherx.jabber.org/&#115;treams'/></a>",
		"stream error, by prefix":   "<x:error xmlns:x='" + nsStream + "'/>",
		"stream error, our prefix":  "<stream:error/>",
		"stream header":             "<stream xmlns='" + nsStream + "'/>",
		"other element of a stream": "<features xmlns='" + nsStream + "'/>",
		"stanza inside":             "<iq xmlns='jabber:component:accept' type='get' id='5'/>",
		"prefix of their own":       "<stream:error xmlns:stream='urn:example:x'/>",
	} {
		t.Run(name, func(t *testing.T) {
			converse(t, nil, func(p *peertest.Peer) {
				p.Send("<message from='" + mallory + "' to='xtoken.example.org'>" + body + "</message>")
				p.Send("<iq type='result' id='x' from='" + mallory + "' to='xtoken.example.org'>" + body + "</iq>")
				contains(t, ask(p, "get", mallory, "next", ping), `type="result"`)
			})
		})
	}
}

func TestWhatAnybodyIsTold(t *testing.T) {
	for _, tt := range []struct {
		name, kind, body string
		want             []string
	}{
		{"ping", "get", ping, []string{`type="result"`}},
		{"version", "get", "<query xmlns='jabber:iq:version'/>", []string{`type="result"`, "<name>xtokend</name>", "<version>v1.2.3 &lt;x&gt;</version>"}},
		{"info", "get", query(nsInfo, ""), []string{
			`type="result"`, `<identity category="component" type="generic" name="xtokend">`, `<feature var="urn:xmpp:ping">`, `<feature var="jabber:iq:version">`,
			`<feature var="` + nsInfo + `">`, `<feature var="` + nsItems + `">`, `<feature var="` + nsCmds + `">`,
		}},
		{"info of no node", "get", query(nsInfo, "other"), []string{`type="error"`, "<item-not-found "}},
		{"items", "get", query(nsItems, ""), []string{`type="result"`, nsItems}},
		{"items of no node", "get", query(nsItems, "other"), []string{`type="error"`, "<item-not-found "}},
		{"unknown request", "get", "<query xmlns='jabber:iq:roster'/>", []string{`type="error"`, `type="cancel"`, "<service-unavailable "}},
		{"setting a ping", "set", ping, []string{`type="error"`, "<service-unavailable "}},
		{"setting info", "set", query(nsInfo, ""), []string{`type="error"`, "<service-unavailable "}},
		{"no payload", "get", "", []string{`type="error"`, "<bad-request "}},
		{"text alone", "get", "ping", []string{`type="error"`, "<bad-request "}},
		{"two payloads", "get", ping + ping, []string{`type="error"`, "<bad-request "}},
		{"long text", "get", "<ping xmlns='urn:xmpp:ping'>" + strings.Repeat("x", 64<<10) + "</ping>", []string{`type="error"`, "<policy-violation "}},
		{"long attribute", "get", "<ping xmlns='urn:xmpp:ping' x='" + strings.Repeat("x", 64<<10) + "'/>", []string{`type="error"`, "<policy-violation "}},
		{"many elements", "get", "<ping xmlns='urn:xmpp:ping'>" + strings.Repeat("<x/>", 4<<10) + "</ping>", []string{`type="error"`, "<policy-violation "}},
		{"many attributes", "get", "<ping xmlns='urn:xmpp:ping'" + manyAttributes(4<<10) + "/>", []string{`type="error"`, "<policy-violation "}},
		{"not so long", "get", "<ping xmlns='urn:xmpp:ping'>" + strings.Repeat("x", 60<<10) + "</ping>", []string{`type="result"`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			converse(t, func(c *link.Config) { c.Version = "v1.2.3 <x>" }, func(p *peertest.Peer) {
				got := ask(p, tt.kind, mallory, "q", tt.body)
				contains(t, got, append(tt.want, `from="xtoken.example.org"`)...)
				if strings.Contains(got, "<os>") {
					t.Error(got, "tells the operating system")
				}
				contains(t, ask(p, "get", mallory, "after", ping), `type="result"`)
			})
		})
	}
}

func manyAttributes(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, " a%d=''", i)
	}
	return b.String()
}

func TestWhatIsAnsweredToNobody(t *testing.T) {
	to := func(address, id string) string {
		return "<iq type='get' id='" + id + "' from='" + mallory + "' to='" + address + "'>" + ping + "</iq>"
	}
	for _, tt := range []struct{ name, text string }{
		{"message", "<message from='" + mallory + "' to='xtoken.example.org'><body>hi</body></message>"},
		{"presence", "<presence from='" + mallory + "' to='xtoken.example.org'/>"},
		{"probe", "<presence type='probe' from='" + mallory + "' to='xtoken.example.org'/>"},
		{"subscription", "<presence type='subscribe' from='" + mallory + "' to='xtoken.example.org'/>"},
		{"result", "<iq type='result' id='r' from='" + mallory + "' to='xtoken.example.org'>" + ping + "</iq>"},
		{"error", "<iq type='error' id='e' from='" + mallory + "' to='xtoken.example.org'/>"},
		{"no type", "<iq id='n' from='" + mallory + "' to='xtoken.example.org'>" + ping + "</iq>"},
		{"nobody", "<iq type='get' id='n' to='xtoken.example.org'>" + ping + "</iq>"},
		{"no address", "<iq type='get' id='n' from='@' to='xtoken.example.org'>" + ping + "</iq>"},
		{"to somebody else", to("example.org", "t")},
		{"to a name like ours", to("xtoken.example.org.example.com", "t")},
		{"to nobody", to("", "t")},
		{"long id", to("xtoken.example.org", strings.Repeat("i", 1025))},
		{"another element", "<ping xmlns='urn:xmpp:ping' type='get' id='p' from='" + mallory + "' to='xtoken.example.org'/>"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			converse(t, nil, func(p *peertest.Peer) {
				p.Send(tt.text)
				ask(p, "get", mallory, "after", ping)
			})
		})
	}
	t.Run("the longest id", func(t *testing.T) {
		converse(t, nil, func(p *peertest.Peer) {
			id := strings.Repeat("i", 1024)
			p.Send(to("xtoken.example.org", id))
			heard(p, mallory, id)
		})
	})
}

// The component has no users and no resources.
func TestNobodyIsBehindTheComponent(t *testing.T) {
	converse(t, nil, func(p *peertest.Peer) {
		for i, to := range []string{"someone@xtoken.example.org", "xtoken.example.org/x"} {
			id := fmt.Sprint("q", i)
			p.Send("<iq type='get' id='" + id + "' from='" + mallory + "' to='" + to + "'>" + ping + "</iq>")
			contains(t, heard(p, mallory, id), `type="error"`, "<service-unavailable ", fmt.Sprintf("from=%q", to))
		}
	})
}

// count sends n pings and returns how many are answered. What is asked behind
// them by another admin must be answered.
func count(p *peertest.Peer, from func(i int) string, n int) (answers int) {
	for i := range n {
		answer(p, "get", " from='"+from(i)+"'", "flood", ping)
	}
	answer(p, "get", " from='root@example.com/x'", "last", ping)
	for {
		switch id := p.Expect(`<iq [^>]*id="([^"]*)"[^>]*></iq>`); id {
		case "flood":
			answers++
		default:
			if id != "last" {
				p.T.Errorf("answer to %q", id)
			}
			return answers
		}
	}
}

func always(from string) func(int) string { return func(int) string { return from } }

func TestAnswersAreBoundedInRate(t *testing.T) {
	c := &clock{now: time.Unix(1e9, 0)}
	converse(t, func(config *link.Config) {
		config.Now = c.Now
		config.Admins, config.Operations = admins, new(operations)
	}, func(p *peertest.Peer) {
		resources := func(i int) string { return fmt.Sprintf("mallory@example.org/%d", i) }
		for _, step := range []struct {
			name string
			from func(int) string
			n    int
			want int
		}{
			{"a user with many clients", resources, 30, 20},
			{"the same user", always(mallory), 30, 0},
			{"another domain, by many names", func(i int) string { return fmt.Sprintf("u%d@example.com/x", i) }, 30, 20},
			{"its subdomain, which is another one", always("a.example.com"), 30, 20},
		} {
			if got := count(p, step.from, step.n); got != step.want {
				t.Errorf("%s: %d answers to %d requests, want %d", step.name, got, step.n, step.want)
			}
		}
		c.advance(time.Second)
		if got := count(p, resources, 30); got != 10 {
			t.Errorf("a second later: %d answers, want 10", got)
		}
		c.advance(time.Hour)
		// Users may share a bucket, so that fewer are answered than could be.
		users := func(i int) string { return fmt.Sprintf("u%d@example.org/x", i%300) }
		if got := count(p, users, 3000); got < 500 || got > 1000 {
			t.Errorf("all together: %d answers, want no more than 1000", got)
		}
		if got := count(p, always("ops@example.org/x"), 100); got != 20 {
			t.Errorf("an admin: %d answers, want 20", got)
		}
	})
}

// Whatever is said, an answer goes to who asked, from the component.
func TestAnswersGoToWhoAsked(t *testing.T) {
	hostile := `a&apos;b"c@example.org/&lt;x&gt;&amp;&quot;`
	converse(t, nil, func(p *peertest.Peer) {
		p.Send("<iq type='get' id='&lt;&quot;&apos;&gt;' from='example.com/&lt;x&gt;&amp;&quot;' to='xtoken.example.org'>" + ping + "</iq>")
		got := p.Expect(`(<iq .*?</iq>)`)
		if !regexp.MustCompile(`^<iq [^<>]*id="&lt;&#34;&#39;&gt;"[^<>]* to="example.com/&lt;x&gt;&amp;&#34;"[^<>]*></iq>$`).MatchString(got) {
			t.Errorf("answer %s", got)
		}
		// This is no JID: localparts have no quotes (RFC 7622 §3.3.1).
		p.Send("<iq type='get' id='q' from='" + hostile + "' to='xtoken.example.org'>" + ping + "</iq>")
		ask(p, "get", mallory, "after", ping)
	})
}
