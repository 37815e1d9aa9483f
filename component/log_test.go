package component_test

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"xtokend/internal/transcript"
)

// closingLine is what the log says of the end of a session.
type closingLine struct {
	Level, Msg, Address, Transport, Domain, User, Mechanism, Reason, Limit string
	Duration                                                               *int64
	FromClient                                                             *int64 `json:"bytes_from_client"`
	ToClient                                                               *int64 `json:"bytes_to_client"`
}

// Whatever ends a session, over whatever transport, leaves one line that says who
// it was and why.
func TestClosingLine(t *testing.T) {
	everywhere := []string{"tcp", "starttls", "tls", "websocket", "bosh"}
	names := map[string]string{"tcp": "tcp", "starttls": "tcp+starttls", "tls": "tcp+tls", "websocket": "websocket", "bosh": "bosh"}
	cases := []struct {
		name       string
		over       []string
		bend       func(sc *scene)
		end        func(t *testing.T, sc *scene, c *client)
		user       string
		reason     string
		limit      string
		debug      bool
		fromClient int64
	}{
		{name: "closed by the client", over: everywhere, end: func(t *testing.T, sc *scene, c *client) {
			c.login(sc, "alice")
			c.send("</stream:stream>")
			c.expect("</stream:stream>")
			c.expectEOF()
		}, user: "alice@example.org", reason: "closed by the client", fromClient: int64(len("</stream:stream>"))},
		{name: "shutdown", over: everywhere, end: func(t *testing.T, sc *scene, c *client) {
			c.login(sc, "alice")
			sc.shutdown(t)
		}, user: "alice@example.org", reason: "system-shutdown"},
		{name: "rule broken", over: everywhere, end: func(t *testing.T, sc *scene, c *client) {
			c.open()
			c.send("<message/>")
			c.expect("<stream:error><not-authorized …</stream:stream>")
		}, reason: "not-authorized"},
		{name: "connection lost after a refusal", over: []string{"tcp", "tls", "websocket"}, end: func(t *testing.T, sc *scene, c *client) {
			c.open()
			c.send(transcript.AuthElement("PLAIN", "", "alice", forged(t, "alice")))
			c.expect("<failure …</failure>")
		}, reason: "connection to the client lost"},
		{name: "nothing was asked", over: []string{"tcp", "tls", "websocket"}, end: func(t *testing.T, sc *scene, c *client) { c.open() },
			reason: "connection to the client lost", debug: true},
		{name: "too long", over: []string{"tcp", "websocket"}, end: func(t *testing.T, sc *scene, c *client) {
			c.open()
			c.send("<auth a='" + strings.Repeat("x", 16384) + "'/>")
			c.expect("<stream:error><policy-violation …</stream:stream>")
		}, reason: "policy-violation", limit: "element_bytes"},
		{name: "too slow", over: []string{"tcp", "tls", "websocket"}, bend: func(sc *scene) { sc.config.Limits.NegotiationTimeout = time.Second },
			end: func(t *testing.T, sc *scene, c *client) {
				c.expect("…<stream:error><connection-timeout …</stream:stream>")
			},
			reason: "connection-timeout", limit: "negotiation_timeout"},
		{name: "refused", over: []string{"tcp", "websocket"}, bend: func(sc *scene) { sc.config.Limits.Streams = 1 },
			end: func(t *testing.T, sc *scene, c *client) {
				c.open() // only now is it certain that it has been counted
				second := sc.dial(t, "tcp")
				second.send(header)
				second.expect(ourHeader + "<stream:error><resource-constraint …</stream:stream>")
				second.conn.Close()
			}, reason: "resource-constraint", limit: "streams"},
		{name: "displaced", over: []string{"tcp", "tls"}, bend: func(sc *scene) { sc.config.Limits.Unauthenticated = 1 },
			end: func(t *testing.T, sc *scene, c *client) {
				c.open()
				second := sc.dial(t, "tcp")
				second.open()
				c.expect("<stream:error><resource-constraint …</stream:stream>")
			}, reason: "resource-constraint", limit: "unauthenticated"},
		{name: "a fault in the program", over: []string{"tcp", "websocket"}, bend: func(sc *scene) {
			sc.upstream = &panickingUpstream{}
			sc.panics = 1
		}, end: func(t *testing.T, sc *scene, c *client) {
			c.open()
			c.send(transcript.AuthElement("X-TOKEN", "", "mallory", sc.token(t, "mallory", 0)))
			for c.more() == nil {
			}
		}, reason: "internal fault"},
	}
	for _, k := range cases {
		for _, transport := range k.over {
			t.Run(k.name+"/"+transport, func(t *testing.T) {
				t.Parallel()
				sc := &scene{}
				if k.bend != nil {
					k.bend(sc)
				}
				sc.json = true
				sc.start(t)
				c := sc.dial(t, transport)
				k.end(t, sc, c)
				c.conn.Close()
				sc.log.await(t, `"reason":"`+k.reason+`"`)
				sc.shutdown(t)
				var got *closingLine
				for line := range strings.Lines(sc.log.String()) {
					l := &closingLine{}
					must(t, json.Unmarshal([]byte(line), l))
					if l.Msg == "session closed" && l.Reason == k.reason {
						got = l
					}
				}
				if got == nil {
					t.Fatalf("no closing line has the reason %q", k.reason)
				}
				level := slog.LevelInfo
				if k.debug {
					level = slog.LevelDebug
				}
				refused := k.name == "refused"
				if k.limit == "streams" || k.limit == "unauthenticated" {
					level = slog.LevelWarn // thinned
				}
				mechanism := ""
				if k.user != "" {
					mechanism = "X-TOKEN"
				}
				if got.Level != level.String() || got.Address != "127.0.0.1" || got.Transport != names[transport] && !refused ||
					got.User != k.user || got.Mechanism != mechanism || got.Limit != k.limit ||
					got.Duration == nil || got.FromClient == nil || *got.FromClient != k.fromClient || got.ToClient == nil {
					t.Errorf("the line is %+v", got)
				}
			})
		}
	}
}

// Whoever asks for another domain is one whose website has it wrong: the line says which.
func TestTheDomainThatIsAskedForIsLogged(t *testing.T) {
	sc := (&scene{}).start(t)
	c := sc.dial(t, "tcp")
	asked := "chat." + strings.Repeat("x", 100)
	c.send(strings.Replace(header, testDomain, asked, 1))
	c.expect("…<stream:error><host-unknown …</stream:stream>")
	c.conn.Close()
	sc.log.await(t, "reason=host-unknown")
	if log := sc.log.String(); !strings.Contains(log, asked[:64]) || strings.Contains(log, asked[:65]) || !strings.Contains(log, "add a [[domain]]") {
		t.Errorf("log:\n%s", log)
	}
}
