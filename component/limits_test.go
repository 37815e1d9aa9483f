package component_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mellium.im/xmpp/jid"

	"xtokend/auth/replay"
	"xtokend/component/upstream"
	"xtokend/internal/fronttest"
	"xtokend/internal/transcript"
	"xtokend/sasl"
)

var allTransports = []string{"tcp", "starttls", "tls", "websocket", "bosh"}

const (
	policyViolation    = "<stream:error><policy-violation …</stream:error></stream:stream>"
	resourceConstraint = "<stream:error><resource-constraint …</stream:error></stream:stream>"
	connectionTimeout  = "<stream:error><connection-timeout …</stream:error></stream:stream>"
	notAuthorized      = "<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/>…</failure>"
)

// ofBytes is a message of so many bytes, ofDepth one of so many levels.
func ofBytes(n int) string {
	return "<message xmlns='jabber:client'>" + strings.Repeat("x", n-len("<message xmlns='jabber:client'></message>")) + "</message>"
}

func ofDepth(n int) string {
	return "<message xmlns='jabber:client'>" + strings.Repeat("<x>", n-1) + strings.Repeat("</x>", n-1) + "</message>"
}

// What a logged-in client may send, and what it may not, is the same however it
// has come.
func TestElementsAtAndAboveTheLimits(t *testing.T) {
	for _, transport := range allTransports {
		for _, c := range []struct {
			name, sent, limit string
		}{
			{"below", ofBytes(19999), ""},
			{"at the limit", ofBytes(20000), ""},
			{"one byte above", ofBytes(20001), "element_bytes"},
			{"without end", "<message xmlns='jabber:client'>" + strings.Repeat("x", 40000), "element_bytes"},
			{"a start tag without end", "<message a='" + strings.Repeat("x", 40000), "element_bytes"},
			{"as deep as may be", ofDepth(20), ""},
			{"one level deeper", ofDepth(21), "element_depth"},
		} {
			if c.sent[len(c.sent)-1] != '>' && (transport == "websocket" || transport == "bosh") {
				continue // a message or a body is whole
			}
			t.Run(transport+"/"+c.name, func(t *testing.T) {
				t.Parallel()
				sc := &scene{}
				sc.config.Limits.ElementBytes, sc.config.Limits.ElementDepth = 20000, 20
				sc.start(t)
				client := sc.dial(t, transport)
				client.login(sc, "alice")
				client.send(c.sent)
				if c.limit == "" {
					client.expect("<message…</message>")
					if n := sc.front.LimitsReached(); len(n) != 0 {
						t.Errorf("limits were met: %v", n)
					}
					return
				}
				client.expect(policyViolation)
				client.expectEOF()
				client.conn.Close() // else the front waits
				sc.shutdown(t)
				if n := sc.front.LimitsReached(); n[c.limit] != 1 || len(n) != 1 {
					t.Errorf("the limits met are %v, want %s once", n, c.limit)
				}
			})
		}
	}
}

func TestStreamsAtAndAboveTheLimits(t *testing.T) {
	for _, transport := range allTransports {
		for _, limit := range []string{"streams", "streams_per_address"} {
			t.Run(transport+"/"+limit, func(t *testing.T) {
				t.Parallel()
				sc := &scene{}
				if limit == "streams" {
					sc.config.Limits.Streams = 2
				} else {
					sc.config.Limits.StreamsPerAddress = 2
				}
				sc.start(t)
				first, second := sc.dial(t, transport), sc.dial(t, transport)
				first.login(sc, "alice")
				second.login(sc, "bob")
				if n := sc.front.LimitsReached(); len(n) != 0 {
					t.Errorf("below the limit: %v", n)
				}
				first.send("<message xmlns='jabber:client'/>")
				first.expect("<message…/>")
				above := transport
				if above == "starttls" { // is told before TLS
					above = "tcp"
				}
				third := sc.dial(t, above)
				third.send(header)
				third.expect(ourHeader + resourceConstraint)
				third.expectEOF()
				if n := sc.front.LimitsReached()[limit]; n != 1 {
					t.Errorf("%d refusals are counted, want 1", n)
				}
			})
		}
	}
}

// A client that takes its time is told that it has none left.
func TestSlowClientsAreCutBeforeAuthentication(t *testing.T) {
	for _, transport := range []string{"tcp", "starttls", "tls", "websocket"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			sc := &scene{}
			sc.config.Limits.NegotiationTimeout = 500 * time.Millisecond
			sc.start(t)
			client := sc.dial(t, transport)
			client.send(header)
			client.expect(ourHeader + "<stream:features>…</stream:features>")
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				client.expect(connectionTimeout)
			}()
			// White space between elements is all that a framing passes on in parts.
			pause := time.NewTicker(20 * time.Millisecond)
			defer pause.Stop()
			for slow := true; slow; {
				select {
				case <-ended:
					slow = false
				case <-pause.C:
					client.conn.Write([]byte(" "))
				}
			}
			client.conn.Close()
			sc.shutdown(t)
			if n := sc.front.LimitsReached()["negotiation_timeout"]; n != 1 {
				t.Errorf("%d are counted, want 1", n)
			}
		})
	}
}

// switchable is an outage that a test can end.
type switchable struct {
	fronttest.Echo
	failure atomic.Pointer[error]
}

func (u *switchable) fail(err error) {
	if err == nil {
		u.failure.Store(nil)
	} else {
		u.failure.Store(&err)
	}
}

func (u *switchable) Open(ctx context.Context, user jid.JID) (net.Conn, error) {
	if failure := u.failure.Load(); failure != nil {
		return nil, *failure
	}
	return u.Echo.Open(ctx, user)
}

// brokenStore is a replay store whose outage a test can end.
type brokenStore struct {
	replay.Store
	down atomic.Bool
}

func (s *brokenStore) Use(ctx context.Context, use replay.Use) error {
	if s.down.Load() {
		return errors.New("the store is down")
	}
	return s.Store.Use(ctx, use)
}

// Nobody is punished for an outage of ours, however strict the limits are.
func TestOurOutageCountsAgainstNobody(t *testing.T) {
	for _, c := range []struct {
		name   string
		outage error // of the upstream; nil: of the store
	}{
		{"the replay store", nil},
		{"the server", errors.New("connection refused")},
		{"the component link", errors.New("make the account: the link is down")},
		{"the server's own trouble", &upstream.Refusal{Condition: sasl.TemporaryAuthFailure, Reason: "server-refuses"}},
		{"an account that is not ours", &upstream.Refusal{Condition: sasl.NotAuthorized, Reason: "account-exists"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			up, store := &switchable{}, &brokenStore{Store: replay.NewMemory(replay.MemoryOptions{})}
			sc := &scene{upstream: up, store: store}
			sc.config.Limits.FailedPerMinutePerAddress, sc.config.Limits.FailedPerMinutePerUser = 1, 1
			sc.config.Limits.AuthAttempts = 1
			sc.start(t)
			t.Cleanup(func() { up.Ends() })
			store.down.Store(c.outage == nil)
			up.fail(c.outage)
			client := sc.dial(t, "tcp")
			client.open()
			for range 10 {
				client.send(transcript.AuthElement("X-TOKEN", "", "alice", sc.token(t, "alice", 0)))
				client.expect("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>…</failure>")
			}
			store.down.Store(false)
			up.fail(nil)
			client.send(transcript.AuthElement("X-TOKEN", "", "alice", sc.token(t, "alice", 0)))
			client.expect(success)
			sc.dial(t, "tls").login(sc, "alice")
			if n := sc.front.LimitsReached(); len(n) != 0 {
				t.Errorf("limits were met: %v", n)
			}
		})
	}
}

// What is refused for want of patience makes the wait no longer.
func TestRefusedForTheRateCountsAgainstNobody(t *testing.T) {
	var now atomic.Int64
	sc := &scene{}
	sc.config.Now = func() time.Time { return testNow.Add(time.Duration(now.Load())) }
	sc.config.Limits.FailedPerMinutePerAddress, sc.config.Limits.AuthAttempts = 1, 2
	sc.start(t)
	client := sc.dial(t, "tcp")
	client.open()
	client.send(transcript.AuthElement("X-TOKEN", "", "alice", forged(t, "alice")))
	client.expect(notAuthorized)
	for range 20 {
		client.send(transcript.AuthElement("X-TOKEN", "", "alice", sc.token(t, "alice", 0)))
		client.expect("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><temporary-auth-failure/><text xml:lang='en'>too many failed attempts; try again in 60 s</text></failure>")
	}
	if n := sc.front.LimitsReached()["failed_per_minute_per_address"]; n != 20 {
		t.Errorf("%d refusals are counted, want 20", n)
	}
	now.Store(int64(time.Minute))
	client.send(transcript.AuthElement("X-TOKEN", "", "alice", sc.token(t, "alice", 0)))
	client.expect(success)
}

// Failed attempts on one stream: the last that is looked at, and the one after.
func TestFailedAttemptsOnEachTransport(t *testing.T) {
	for _, transport := range allTransports {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			sc := &scene{}
			sc.config.Limits.AuthAttempts = 2
			sc.start(t)
			client := sc.dial(t, transport)
			client.open()
			for range 2 {
				client.send(transcript.AuthElement("X-TOKEN", "", "alice", forged(t, "alice")))
				client.expect(notAuthorized)
			}
			client.send(transcript.AuthElement("X-TOKEN", "", "alice", sc.token(t, "alice", 0)))
			client.expect(policyViolation)
			client.expectEOF()
			if n := sc.front.LimitsReached(); n["auth_attempts"] != 1 || len(n) != 1 {
				t.Errorf("the limits met are %v", n)
			}
		})
	}
}

// The upstream learns who the client is.
func TestTheUpstreamIsToldTheClientsAddress(t *testing.T) {
	up := &askedUpstream{}
	sc := &scene{upstream: up}
	sc.config.TrustedProxies = loopback
	sc.start(t)
	t.Cleanup(func() { up.Ends() })
	for _, c := range []struct{ sent, want string }{{v2OverTLS, "203.0.113.7"}, {"", "127.0.0.1"}} {
		client := sc.dial(t, "tcp")
		client.send(c.sent)
		client.login(sc, "alice")
		if got := up.client.Load(); got == nil || got.String() != c.want {
			t.Errorf("the upstream was told %v, want %s", got, c.want)
		}
	}
}

type askedUpstream struct {
	fronttest.Echo
	client atomic.Pointer[netip.Addr]
}

func (u *askedUpstream) Open(ctx context.Context, user jid.JID) (net.Conn, error) {
	client := upstream.ClientOf(ctx)
	u.client.Store(&client)
	return u.Echo.Open(ctx, user)
}
