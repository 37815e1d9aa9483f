package component_test

import (
	"errors"
	"net"
	"testing"
	"time"

	"xtokend/auth"
	"xtokend/component"
	"xtokend/internal/transcript"
)

// A client that is connected tries again after the settings were read again: the keys
// of now count.
func TestReloadBetweenTwoAttempts(t *testing.T) {
	sc := new(scene).start(t)
	c := sc.dial(t, "tcp")
	c.open()
	old := sc.token(t, "alice", 0)

	sc.key = newKey(t, "MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U")
	verifier, err := auth.NewVerifier(auth.Config{Domain: testDomain, Keys: []auth.Key{sc.key}, Skew: 1,
		Store: sc.store, Now: func() time.Time { return testNow }})
	must(t, err)
	next := sc.config
	next.Domains = []component.Domain{sc.domain}
	next.Domains[0].Verifier = verifier
	must(t, sc.front.Reload(next))
	c.send(transcript.AuthElement("X-TOKEN", "", "alice", old))
	c.expect(`<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/>…</failure>`)
	c.send(transcript.AuthElement("X-TOKEN", "", "alice", sc.token(t, "alice", 0)))
	c.expect(success)

	// What cannot be used changes nothing.
	for name, wrong := range map[string][]component.Domain{"no domain": nil, "a domain twice": {next.Domains[0], next.Domains[0]}} {
		refused := next
		refused.Domains = wrong
		if err := sc.front.Reload(refused); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	sc.dial(t, "tls").login(sc, "bob")
}

// Nobody connects to a listener that is opened after the front has begun to drain.
func TestServeAfterDrainClosesTheListener(t *testing.T) {
	sc := new(scene).start(t)
	sc.front.Drain()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	must(t, err)
	if err := sc.front.Serve(l); !errors.Is(err, component.ErrClosed) {
		t.Errorf("serving ends with %v", err)
	}
	if conn, err := net.Dial("tcp4", l.Addr().String()); err == nil {
		conn.Close()
		t.Error("a connection waits for nobody")
	}
}
