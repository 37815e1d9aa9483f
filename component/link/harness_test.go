package link_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"mellium.im/xmpp/jid"

	"xtokend/component/link"
	"xtokend/internal/peertest"
	"xtokend/internal/stockserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var alice = jid.MustParse("alice@example.org")

// running is a link that runs until the test ends.
type running struct {
	*link.Link
	waits chan time.Duration // each wait between attempts, once it has begun
	again chan time.Time     // ends a wait
	log   *peertest.Log
	stop  func()
}

// run starts a link after change. The clock between its attempts stands still.
func run(t *testing.T, address, secret string, change func(*link.Config)) *running {
	t.Helper()
	r := &running{waits: make(chan time.Duration), again: make(chan time.Time), log: new(peertest.Log)}
	ctx, cancel := context.WithCancel(context.Background())
	c := link.Config{
		Address: address, Name: "xtoken.example.org", Secret: []byte(secret), Domain: "example.org",
		Log: slog.New(slog.NewTextHandler(r.log, nil)),
		After: func(d time.Duration) <-chan time.Time {
			select {
			case r.waits <- d:
			case <-ctx.Done():
			}
			return r.again
		},
	}
	if change != nil {
		change(&c)
	}
	var err error
	if r.Link, err = link.New(c); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := r.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	}()
	r.stop = func() { cancel(); <-ended }
	t.Cleanup(r.stop)
	return r
}

func linkTo(t *testing.T, p *stockserver.Server) *running {
	t.Helper()
	r := run(t, p.Component, p.ComponentSecret, nil)
	r.up(t)
	return r
}

func (r *running) up(t *testing.T) {
	t.Helper()
	if err := r.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !r.Up() {
		t.Fatal("the link is not up after Wait")
	}
}

// trouble waits until an attempt has failed, and returns why.
func (r *running) trouble(t *testing.T) error {
	t.Helper()
	<-r.waits
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := r.Wait(ctx)
	if err == nil {
		t.Fatal("the link is up")
	}
	return err
}

const header = "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' from='xtoken.example.org' id='x1'>"

// accept plays the handshake.
func accept(p *peertest.Peer) {
	p.Expect(`<stream:stream [^>]*>`)
	p.Send(header)
	p.Expect(`<handshake>[0-9a-f]{40}</handshake>`)
	p.Send("<handshake/>")
}

// request reads a request and returns its id.
func request(p *peertest.Peer) string {
	return p.Expect(`<iq [^>]*id="([^"]*)"[^>]*>.*?</iq>`)
}

// answer sends an IQ to the component. from is the attribute, or empty.
func answer(p *peertest.Peer, kind, from, id, body string) {
	p.Send("<iq type='" + kind + "' id='" + id + "' to='xtoken.example.org'" + from + ">" + body + "</iq>")
}

func says(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v does not say %q", err, want)
	}
}
