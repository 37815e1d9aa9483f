package link_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mellium.im/xmpp/jid"

	"xtokend/component/link"
	"xtokend/internal/peertest"
)

const (
	ops    = "ops@example.org/desk"
	nodeOf = "http://jabber.org/protocol/admin#end-user-session"
)

var admins = []jid.JID{jid.MustParse("ops@example.org"), jid.MustParse("root@example.com")}

// operations remember what was done.
type operations struct {
	revoke func(context.Context) error // nil: works

	mu   sync.Mutex
	done []string
}

func (o *operations) did(what string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.done = append(o.done, what)
}

func (o *operations) all() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.done)
}

func (o *operations) Status(context.Context) []link.Fact {
	o.did("status")
	return []link.Fact{{"uptime", "Running for", []string{"3 days"}}, {"sessions", "Sessions", []string{"tcp: 1", "websocket: 2 <&>"}}}
}

func (o *operations) EndSessions(user jid.JID) int {
	o.did("end " + user.String())
	return 1
}

func (o *operations) Revoke(ctx context.Context, user jid.JID) (int, error) {
	if o.revoke != nil {
		if err := o.revoke(ctx); err != nil {
			return 0, err
		}
	}
	o.did("revoke " + user.String())
	return 2, nil
}

// administer is converse with admins, in a time in which nothing comes too fast.
func administer(t *testing.T, o *operations, script func(*peertest.Peer)) *running {
	t.Helper()
	c := &clock{now: time.Unix(1e9, 0)}
	now := func() time.Time { c.advance(100 * time.Millisecond); return c.Now() }
	return converse(t, func(config *link.Config) { config.Admins, config.Operations, config.Now = admins, o, now }, script)
}

// step is a command, with attributes beside its node.
func step(node, attributes, form string) string {
	return "<command xmlns='" + nsCmds + "' node='" + node + "' " + attributes + ">" + form + "</command>"
}

func submit(fields string) string {
	return "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>http://jabber.org/protocol/admin</value></field>" + fields + "</x>"
}

func accounts(addresses ...string) string {
	return submit("<field var='accountjids'><value>" + strings.Join(addresses, "</value><value>") + "</value></field>")
}

// begin opens a command session and returns its id.
func begin(p *peertest.Peer, from, node string) string {
	p.T.Helper()
	got := ask(p, "set", from, "begin", step(node, "action='execute'", ""))
	id := regexp.MustCompile(`sessionid="([^"]{20,})"`).FindStringSubmatch(got)
	if id == nil {
		p.T.Errorf("no session in %s", got)
		return ""
	}
	return id[1]
}

func TestCommandsAreForAdmins(t *testing.T) {
	o := new(operations)
	administer(t, o, func(p *peertest.Peer) {
		for _, from := range []string{
			mallory, "mallory@example.org", "example.org", "ops@example.com/desk", "root@example.org/x", "ops@xtoken.example.org",
			"xtoken.example.org/ops", "example.org/ops@example.org", "ops@example.org.example.com/x", "ops2@example.org/x",
		} {
			for _, request := range []struct{ kind, body string }{
				{"get", query(nsItems, nsCmds)}, {"get", query(nsInfo, nsCmds)}, {"get", query(nsInfo, "status")},
				{"set", step("status", "", "")}, {"set", step(nodeOf, "", "")}, {"set", step(nodeOf, "", accounts("alice@example.org"))},
				{"set", step("revoke", "action='complete' sessionid='x'", accounts("alice@example.org"))}, {"set", step("other", "", "")},
				{"get", step("status", "", "")},
			} {
				if got := ask(p, request.kind, from, "q", request.body); !strings.Contains(got, `<error type="auth"><forbidden `) {
					t.Errorf("%s asks %s: %s", from, request.body, got)
				}
			}
		}
	})
	if did := o.all(); len(did) > 0 {
		t.Errorf("done for others: %q", did)
	}
}

func TestAdminsByAnyClient(t *testing.T) {
	o := new(operations)
	administer(t, o, func(p *peertest.Peer) {
		for _, from := range []string{ops, "ops@example.org/phone", "ops@example.org", "root@example.com/x"} {
			contains(t, ask(p, "set", from, "q", step("status", "", "")), `type="result"`, `status="completed"`)
		}
	})
}

// A server may hold two names for different that are one by the newer tables here, where
// more letters have a small one. It stamps each as it has prepared it.
func TestAddressesThatReadLikeAnAdmins(t *testing.T) {
	o := new(operations)
	administer(t, o, func(p *peertest.Peer) {
		for _, from := range []string{"OPS@example.org/x", "\uff4fps@example.org/x", "ops@EXAMPLE.org/x"} {
			answer(p, "set", " from='"+from+"'", "q", step("status", "", ""))
		}
		contains(t, ask(p, "get", mallory, "next", ping), `type="result"`)
	})
	if did := o.all(); len(did) > 0 {
		t.Errorf("done for others: %q", did)
	}
}

func TestTheListOfCommands(t *testing.T) {
	administer(t, new(operations), func(p *peertest.Peer) {
		got := ask(p, "get", ops, "q", query(nsItems, nsCmds))
		for _, node := range []string{"status", nodeOf, "revoke"} {
			contains(t, got, `<item jid="xtoken.example.org" name="`, `node="`+node+`"`)
			info := ask(p, "get", ops, "q", query(nsInfo, node))
			contains(t, info, `category="automation" type="command-node"`, `<feature var="`+nsCmds+`">`, `<feature var="jabber:x:data">`)
		}
		contains(t, ask(p, "get", ops, "q", query(nsInfo, nsCmds)), `category="automation" type="command-list"`)
		contains(t, ask(p, "set", ops, "q", step("other", "", "")), "<item-not-found ")
		contains(t, ask(p, "get", ops, "q", step("status", "", "")), "<bad-request ")
	})
}

func TestStatus(t *testing.T) {
	administer(t, new(operations), func(p *peertest.Peer) {
		contains(t, ask(p, "set", ops, "q", step("status", "", "")), `type="result"`, `status="completed"`, `node="status"`,
			`<field xmlns="jabber:x:data" var="uptime" type="text-single" label="Running for"><value xmlns="jabber:x:data">3 days</value></field>`,
			`<field xmlns="jabber:x:data" var="sessions" type="text-multi" label="Sessions">`, "websocket: 2 &lt;&amp;&gt;")
	})
}

func TestCommandsOnUsers(t *testing.T) {
	for _, tt := range []struct {
		node, note string
		done       []string
	}{
		{nodeOf, "alice@example.org: 1 session ended", []string{"end alice@example.org", "end bob@example.org"}},
		{"revoke", "alice@example.org: revoked, 2 sessions ended", []string{"revoke alice@example.org", "revoke bob@example.org"}},
	} {
		for _, stages := range []string{"one stage", "complete", "execute", "no action"} {
			t.Run(tt.node+" "+stages, func(t *testing.T) {
				o := new(operations)
				l := administer(t, o, func(p *peertest.Peer) {
					attributes := ""
					if stages != "one stage" {
						contains(t, ask(p, "set", ops, "form", step(tt.node, "", "")), `status="executing"`, `<actions xmlns="`+nsCmds+`" execute="complete"><complete`,
							`<x xmlns="jabber:x:data" type="form">`, `<field xmlns="jabber:x:data" var="accountjids" type="jid-multi"`, "<required")
						attributes = "sessionid='" + begin(p, ops, tt.node) + "' "
					}
					if stages == "complete" || stages == "execute" {
						attributes += "action='" + stages + "'"
					}
					got := ask(p, "set", ops, "q", step(tt.node, attributes, accounts(" alice@example.org", "BOB@example.org")))
					contains(t, got, `type="result"`, `status="completed"`, `type="info"`, tt.note)
					if attributes != "" { // what is done is done
						contains(t, ask(p, "set", ops, "q", step(tt.node, attributes, accounts("carol@example.org"))), "<bad-sessionid ")
					}
				})
				if did := o.all(); !slices.Equal(did, tt.done) {
					t.Errorf("done: %q, want %q", did, tt.done)
				}
				says(t, errors.New(l.log.String()), "by an admin")
				says(t, errors.New(l.log.String()), "admin="+ops)
			})
		}
	}
}

func TestFormsThatAreRefused(t *testing.T) {
	many := make([]string, 21)
	for i := range many {
		many[i] = fmt.Sprintf("u%d@example.org", i)
	}
	o := new(operations)
	administer(t, o, func(p *peertest.Peer) {
		session := begin(p, ops, "revoke")
		for _, tt := range []struct{ name, form, says string }{
			{"none", "", "submit the form"},
			{"two", accounts("alice@example.org") + accounts("bob@example.org"), "submit the form"},
			{"not submitted", "<x xmlns='jabber:x:data' type='form'><field var='accountjids'><value>alice@example.org</value></field></x>", "submit the form"},
			{"cancelled", "<x xmlns='jabber:x:data' type='cancel'/>", "submit the form"},
			{"another form", "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>other</value></field><field var='accountjids'><value>alice@example.org</value></field></x>", "submit the form"},
			{"no user", submit(""), "address of a user"},
			{"empty", submit("<field var='accountjids'/>"), "address of a user"},
			{"empty value", accounts(""), "no user of example.org"},
			{"another domain", accounts("alice@example.com"), "no user of example.org"},
			{"one of another domain", accounts("alice@example.org", "alice@example.com"), "no user of example.org"},
			{"subdomain", accounts("alice@a.example.org"), "no user of example.org"},
			{"the domain", accounts("example.org"), "no user of example.org"},
			{"resource", accounts("alice@example.org/phone"), "leave the resource out"},
			{"no address", accounts("@"), "no user of example.org"},
			{"too many", accounts(many...), "more than 20 users"},
		} {
			for _, attributes := range []string{"", "sessionid='" + session + "'"} {
				if attributes == "" && tt.form == "" {
					continue // begins a session
				}
				got := ask(p, "set", ops, "q", step("revoke", attributes, tt.form))
				for _, want := range []string{`<error type="modify"><bad-request `, "<bad-payload ", tt.says} {
					if !strings.Contains(got, want) {
						t.Errorf("%s: %s lacks %s", tt.name, got, want)
					}
				}
			}
		}
		contains(t, ask(p, "set", ops, "q", step("revoke", "sessionid='"+session+"'", accounts(many[1:]...))), `status="completed"`)
	})
	if did := o.all(); len(did) != 20 || did[0] != "revoke u1@example.org" {
		t.Errorf("done: %q", did)
	}
}

func TestActions(t *testing.T) {
	o := new(operations)
	administer(t, o, func(p *peertest.Peer) {
		for _, action := range []string{"next", "prev", "complete", "cancel"} {
			contains(t, ask(p, "set", ops, "q", step(nodeOf, "action='"+action+"'", "")), "<bad-request ", "<bad-action ")
		}
		contains(t, ask(p, "set", ops, "q", step(nodeOf, "action='destroy'", "")), "<bad-request ", "<malformed-action ")
		session := "sessionid='" + begin(p, ops, nodeOf) + "' "
		for _, action := range []string{"next", "prev"} {
			contains(t, ask(p, "set", ops, "q", step(nodeOf, session+"action='"+action+"'", accounts("alice@example.org"))), "<bad-action ")
		}
		contains(t, ask(p, "set", ops, "q", step(nodeOf, session+"action='destroy'", "")), "<malformed-action ")
		contains(t, ask(p, "set", ops, "q", step(nodeOf, session+"action='cancel'", "")), `type="result"`, `status="canceled"`)
		contains(t, ask(p, "set", ops, "q", step(nodeOf, session+"action='complete'", accounts("alice@example.org"))), "<bad-sessionid ")
	})
	if did := o.all(); len(did) > 0 {
		t.Errorf("done: %q", did)
	}
}

func TestCommandSessionsAreTheirClients(t *testing.T) {
	o := new(operations)
	administer(t, o, func(p *peertest.Peer) {
		session := begin(p, ops, nodeOf)
		for _, tt := range []struct{ name, from, node, session, want string }{
			{"another client of the admin", "ops@example.org/phone", nodeOf, session, "<bad-sessionid "},
			{"no client", "ops@example.org", nodeOf, session, "<bad-sessionid "},
			{"another admin", "root@example.com/desk", nodeOf, session, "<bad-sessionid "},
			{"a user", mallory, nodeOf, session, "<forbidden "},
			{"another command", ops, "revoke", session, "<bad-sessionid "},
			{"a command without a form", ops, "status", session, "<bad-sessionid "},
			{"part of the id", ops, nodeOf, session[1:], "<bad-sessionid "},
		} {
			for _, action := range []string{"complete", "cancel"} {
				attributes := "sessionid='" + tt.session + "' action='" + action + "'"
				if got := ask(p, "set", tt.from, "q", step(tt.node, attributes, accounts("alice@example.org"))); !strings.Contains(got, tt.want) {
					t.Errorf("%s: %s", tt.name, got)
				}
			}
		}
		contains(t, ask(p, "set", ops, "q", step(nodeOf, "sessionid='"+session+"'", accounts("alice@example.org"))), `status="completed"`)
	})
	if did := o.all(); !slices.Equal(did, []string{"end alice@example.org"}) {
		t.Errorf("done: %q", did)
	}
}

func TestCommandSessionsEnd(t *testing.T) {
	c := &clock{now: time.Unix(1e9, 0)}
	o := new(operations)
	converse(t, func(config *link.Config) { config.Admins, config.Operations, config.Now = admins, o, c.Now }, func(p *peertest.Peer) {
		complete := func(session string) string {
			return ask(p, "set", ops, "q", step(nodeOf, "sessionid='"+session+"'", accounts("alice@example.org")))
		}
		early, late := begin(p, ops, nodeOf), begin(p, ops, nodeOf)
		c.advance(10*time.Minute - 1)
		contains(t, complete(early), `status="completed"`)
		c.advance(1)
		contains(t, complete(late), `<error type="cancel"><not-allowed `, "<session-expired ")
		contains(t, complete(late), "<bad-sessionid ")
	})
	if did := o.all(); len(did) != 1 {
		t.Errorf("done: %q", did)
	}
}

func TestCommandSessionsAreBounded(t *testing.T) {
	many := slices.Clone(admins)
	for i := range 21 {
		many = append(many, jid.MustParse(fmt.Sprintf("admin%d@example.org", i)))
	}
	c := &clock{now: time.Unix(1e9, 0)}
	converse(t, func(config *link.Config) { config.Admins, config.Operations, config.Now = many, new(operations), c.Now }, func(p *peertest.Peer) {
		var sessions []string
		for range 6 {
			sessions = append(sessions, begin(p, ops, nodeOf))
		}
		c.advance(time.Second)
		cancel := func(session string) string {
			return ask(p, "set", ops, "q", step(nodeOf, "action='cancel' sessionid='"+session+"'", ""))
		}
		contains(t, cancel(sessions[0]), "<bad-sessionid ")
		for _, session := range sessions[1:] {
			contains(t, cancel(session), `status="canceled"`)
		}
		c.advance(time.Second)

		for i := range 100 {
			begin(p, fmt.Sprintf("admin%d@example.org/x", i/5), nodeOf)
		}
		contains(t, ask(p, "set", ops, "q", step(nodeOf, "", "")), `<error type="wait"><resource-constraint `)
		begin(p, "admin0@example.org/x", nodeOf) // in the place of another one of the same admin
		contains(t, ask(p, "set", ops, "q", step(nodeOf, "", accounts("alice@example.org"))), `status="completed"`)
		c.advance(10 * time.Minute)
		begin(p, ops, nodeOf)
	})
}

func TestARevocationThatFails(t *testing.T) {
	o := &operations{revoke: func(context.Context) error { return errors.New("no such luck: 10.0.0.7 does not answer") }}
	l := administer(t, o, func(p *peertest.Peer) {
		got := ask(p, "set", ops, "q", step("revoke", "", accounts("alice@example.org")))
		contains(t, got, `status="completed"`, `type="error"`, "not revoked")
		if strings.Contains(got, "luck") || strings.Contains(got, "10.0.0.7") {
			t.Errorf("%s tells what only the log should", got)
		}
	})
	says(t, errors.New(l.log.String()), "no such luck")
}

// While commands wait, here for the replay store, everything else goes on; more of
// them are refused, and the end of the connection ends them.
func TestCommandsThatTakeLong(t *testing.T) {
	begun := make(chan struct{}, 4)
	ended := make(chan error, 4)
	o := &operations{revoke: func(ctx context.Context) error {
		begun <- struct{}{}
		<-ctx.Done()
		ended <- ctx.Err()
		return ctx.Err()
	}}
	l := administer(t, o, func(p *peertest.Peer) {
		for range 4 {
			answer(p, "set", " from='"+ops+"'", "long", step("revoke", "", accounts("alice@example.org")))
			<-begun
		}
		contains(t, ask(p, "set", ops, "q", step("status", "", "")), `<error type="wait"><resource-constraint `)
		contains(t, ask(p, "get", ops, "q", ping), `type="result"`)
	})
	l.stop()
	if len(ended) != 4 {
		t.Errorf("%d of 4 commands have ended with the link", len(ended))
	}
	for range len(ended) {
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("a command ended with %v", err)
		}
	}
}

func TestAPanicInACommandIsAnErrorOfIt(t *testing.T) {
	o := &operations{revoke: func(context.Context) error { panic("a fault of ours") }}
	l := administer(t, o, func(p *peertest.Peer) {
		for range 5 { // more than may run at a time
			contains(t, ask(p, "set", ops, "q", step("revoke", "", accounts("alice@example.org"))), `type="error"`, "<internal-server-error ")
		}
	})
	says(t, errors.New(l.log.String()), "a fault of ours")
}

func TestAdminsInSettings(t *testing.T) {
	for _, tt := range []struct {
		name string
		jid  string
		o    link.Operations
		want string
	}{
		{"a domain", "example.org", new(operations), "bare JID"},
		{"a client", "ops@example.org/desk", new(operations), "bare JID"},
		{"nothing to do", "ops@example.org", nil, "operations"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := link.New(link.Config{
				Address: "127.0.0.1:5347", Name: "xtoken.example.org", Secret: []byte("s"), Domain: "example.org",
				Admins: []jid.JID{jid.MustParse(tt.jid)}, Operations: tt.o,
			})
			says(t, err, tt.want)
		})
	}
}
