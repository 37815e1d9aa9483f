package component_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"mellium.im/xmpp/jid"

	"xtokend/auth"
	"xtokend/component"
	"xtokend/internal/fronttest"
	"xtokend/internal/transcript"
)

const endedByAdministrator = "<stream:error><reset xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>…</stream:error></stream:stream>"

// An ended session cannot be resumed: what the server gets is a stream end. What
// is not the user's goes on.
func TestEndSessions(t *testing.T) {
	for _, transport := range []string{"tcp", "starttls", "tls", "websocket", "bosh"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			e := &fronttest.Echo{}
			sc := (&scene{upstream: e}).start(t)
			bob := sc.dial(t, "tcp")
			bob.login(sc, "bob")
			var alice [2]*client
			for i := range alice {
				alice[i] = sc.dial(t, transport)
				alice[i].login(sc, "alice")
				alice[i].send("<message/>")
				alice[i].expect("<message/>")
			}
			if n := sc.front.EndSessions(jid.MustParse("alice@example.org/any")); n != 2 {
				t.Errorf("%d sessions were ended, want 2", n)
			}
			for _, c := range alice {
				c.expect(endedByAdministrator)
				c.expectEOF()
				c.conn.Close()
			}
			if n := sc.front.EndSessions(jid.MustParse("nobody@example.org")); n != 0 {
				t.Errorf("%d sessions of nobody were ended", n)
			}
			bob.send("<message/>")
			bob.expect("<message/>")
			bob.send("</stream:stream>")
			bob.expect("</stream:stream>")
			for _, err := range e.Ends() {
				if err != nil {
					t.Errorf("a stream at the server ended with %v, and not as streams do", err)
				}
			}
			sc.shutdown(t)
			if n := strings.Count(sc.log.String(), "reason=reset"); n != 2 {
				t.Errorf("%d closing lines give the reason, want 2", n)
			}
		})
	}
}

// Inside an element a stream end could be text to the server. It must get what
// ends its stream wherever the client has left off. Within a comment there is
// nothing to end: a server takes none, and ends the stream when one begins.
func TestEndSessionsWithinAnElement(t *testing.T) {
	for name, part := range map[string]string{
		"text": "<message>", "an attribute": "<message to='", "CDATA": "<message><![CDATA[",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := &fronttest.Echo{}
			u := &upstreamThatTells{Echo: e, came: make(chan int, 1000)}
			sc := (&scene{upstream: u}).start(t)
			c := sc.dial(t, "tcp")
			c.login(sc, "alice")
			c.send(part + strings.Repeat("x", 40000))
			for n := 0; n < 2*16384; { // the rest is held back
				n += <-u.came
			}
			sc.front.EndSessions(jid.MustParse("alice@example.org"))
			c.expect(endedByAdministrator)
			if ends := e.Ends(); len(ends) != 1 || ends[0] == nil || ends[0] == io.EOF {
				t.Errorf("the stream at the server ended with %v, want a fault in its XML", ends)
			}
		})
	}
}

// upstreamThatTells says how many bytes were written to it at once.
type upstreamThatTells struct {
	*fronttest.Echo
	came chan int
}

func (u *upstreamThatTells) Open(ctx context.Context, user jid.JID) (net.Conn, error) {
	conn, err := u.Echo.Open(ctx, user)
	return countingConn{conn, u.came}, err
}

type countingConn struct {
	net.Conn
	came chan int
}

func (c countingConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if len(p) >= 16384 {
		c.came <- n
	}
	return n, err
}

// A token that was verified before a revocation must open no session after it.
func TestEndSessionsEndsALoginUnderWay(t *testing.T) {
	u := &waitingUpstream{asked: make(chan struct{}), goOn: make(chan struct{})}
	sc := (&scene{upstream: u}).start(t)
	c := sc.dial(t, "tcp")
	c.open()
	c.send(transcript.AuthElement("X-TOKEN", "", "alice", sc.token(t, "alice", 0)))
	<-u.asked
	if n := sc.front.EndSessions(jid.MustParse("alice@example.org")); n != 0 {
		t.Errorf("%d sessions had logged in", n)
	}
	close(u.goOn)
	c.expect("…" + endedByAdministrator)
	c.expectEOF()
	c.conn.Close()
	u.Ends()
	sc.shutdown(t)
}

// waitingUpstream opens a stream, whatever becomes of who has asked, when the
// test says so.
type waitingUpstream struct {
	fronttest.Echo
	asked, goOn chan struct{}
}

func (u *waitingUpstream) Open(_ context.Context, user jid.JID) (net.Conn, error) {
	close(u.asked)
	<-u.goOn
	return u.Echo.Open(context.Background(), user)
}

func TestSessions(t *testing.T) {
	sc := (&scene{}).start(t)
	if all := sc.front.Sessions(); len(all) != 0 {
		t.Fatalf("sessions before any login: %+v", all)
	}
	silent := sc.dial(t, "tcp")
	silent.open()
	for _, k := range []struct{ user, transport string }{{"bob", "websocket"}, {"alice", "starttls"}, {"alice", "bosh"}} {
		c := sc.dial(t, k.transport)
		c.login(sc, k.user)
		c.send("<message/>")
		c.expect("<message/>")
	}
	want := []component.SessionInfo{
		{User: jid.MustParse("bob@example.org"), Transport: "websocket"},
		{User: jid.MustParse("alice@example.org"), Transport: "tcp+starttls"},
		{User: jid.MustParse("alice@example.org"), Transport: "bosh"},
	}
	all := sc.front.Sessions()
	if len(all) != len(want) {
		t.Fatalf("%d sessions, want %d: %+v", len(all), len(want), all)
	}
	for i, got := range all {
		if !got.User.Equal(want[i].User) || got.Transport != want[i].Transport || got.Mechanism != "X-TOKEN" ||
			got.Address.String() != "127.0.0.1" || !got.Began.Equal(testNow) ||
			got.FromClient != int64(len("<message/>")) || got.ToClient != int64(len("<message/>")) {
			t.Errorf("session %d is %+v", i, got)
		}
	}
	sc.shutdown(t)
	if all := sc.front.Sessions(); len(all) != 0 {
		t.Errorf("sessions after the shutdown: %+v", all)
	}
}

func TestRevoke(t *testing.T) {
	sc := (&scene{}).start(t)
	c := sc.dial(t, "bosh")
	c.login(sc, "alice")
	unused := sc.token(t, "alice", 0)
	ended, err := sc.front.Revoke(t.Context(), jid.MustParse("ALICE@example.org/any"))
	if ended != 1 || err != nil {
		t.Errorf("%d sessions were ended, %v", ended, err)
	}
	c.expect(endedByAdministrator)
	again := sc.dial(t, "tcp")
	again.open()
	again.send(transcript.AuthElement("X-TOKEN", "", "alice", unused))
	again.expect("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><credentials-expired/>…</failure>")
	again.send(transcript.AuthElement("X-TOKEN", "", "bob", sc.token(t, "bob", 0)))
	again.expect(success)

	if _, err := sc.front.Revoke(t.Context(), jid.MustParse("alice@example.net")); err != component.ErrUnknownDomain {
		t.Errorf("a user of another domain: %v", err)
	}
	var refusal *auth.Refusal
	if _, err := sc.front.Revoke(t.Context(), jid.MustParse("strauß@example.org")); !errors.As(err, &refusal) || refusal.Reason != auth.Malformed {
		t.Errorf("a name that is another one to servers: %v", err)
	}
}

// What can be done without the store is done without it.
func TestRevokeWithoutTheStore(t *testing.T) {
	sc := (&scene{}).start(t)
	c := sc.dial(t, "tcp")
	c.login(sc, "alice")
	must(t, sc.store.Close())
	ended, err := sc.front.Revoke(t.Context(), jid.MustParse("alice@example.org"))
	var refusal *auth.Refusal
	if ended != 1 || !errors.As(err, &refusal) || refusal.Reason != auth.Unavailable {
		t.Errorf("%d sessions were ended, %v", ended, err)
	}
	c.expect(endedByAdministrator)
}
