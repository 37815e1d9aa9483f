package component_test

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"mellium.im/xmpp/jid"

	"xtokend/auth"
	"xtokend/auth/replay"
	"xtokend/component"
	"xtokend/component/upstream"
	"xtokend/component/web"
	"xtokend/internal/fronttest"
	"xtokend/internal/testcert"
)

const (
	testDomain = "example.org"
	testSeed   = "XVGR73KMZH2M4XMY"
	testSecret = "JYXEX4IQOEYFYQ2S3MC5P4ZT4SDHYEA7"
	patience   = 20 * time.Second // no wait of a test is longer; none is ever meant to be
)

var testNow = time.Unix(1551193138, 0)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// scene is a running front and what a test may want to bend of it.
type scene struct {
	domain   component.Domain
	config   component.Config
	store    replay.Store
	upstream upstream.Upstream
	wildcard bool   // listen on all addresses: not loopback
	revoked  string // a user whose tokens of before now are revoked
	panics   int64  // that the test provokes
	json     bool   // the log's form
	log      syncBuffer

	front     *component.Front
	web       *web.Server
	tcp, tls  net.Addr
	http      net.Addr
	verifier  *auth.Verifier
	key       auth.Key
	clientTLS *tls.Config
}

// start builds what was not bent and serves until the test ends.
func (sc *scene) start(t *testing.T) *scene {
	t.Helper()
	var err error
	sc.key = newKey(t, testSecret)
	if sc.store == nil {
		sc.store = replay.NewMemory(replay.MemoryOptions{})
	}
	t.Cleanup(func() { sc.store.Close() })
	if sc.verifier == nil {
		sc.verifier, err = auth.NewVerifier(auth.Config{Domain: testDomain, Keys: []auth.Key{sc.key}, Skew: 1,
			Store: sc.store, Now: func() time.Time { return testNow }})
		must(t, err)
	}
	if sc.revoked != "" {
		name, err := auth.PrepareName(sc.revoked)
		must(t, err)
		must(t, sc.verifier.Revoke(context.Background(), name))
	}
	if sc.upstream == nil {
		sc.upstream = &fronttest.Echo{}
	}
	if e, ok := sc.upstream.(*fronttest.Echo); ok {
		t.Cleanup(func() { e.Ends() })
	}
	pair, err := testcert.New(testcert.Spec{Serial: 2, Names: []string{testDomain}})
	must(t, err)
	certificate, err := pair.TLS()
	must(t, err)
	sc.clientTLS = &tls.Config{ServerName: testDomain, RootCAs: pair.Roots, NextProtos: []string{"xmpp-client"}}
	sc.config.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	o := &slog.HandlerOptions{Level: slog.LevelDebug}
	sc.config.Logger = slog.New(slog.NewTextHandler(&sc.log, o))
	if sc.json {
		sc.config.Logger = slog.New(slog.NewJSONHandler(&sc.log, o))
	}
	if sc.config.Now == nil {
		sc.config.Now = func() time.Time { return testNow }
	}
	sc.domain.Name, sc.domain.Verifier, sc.domain.Upstream = testDomain, sc.verifier, sc.upstream
	sc.config.Domains = []component.Domain{sc.domain}
	sc.front, err = component.New(sc.config)
	must(t, err)
	address := "127.0.0.1:0"
	if sc.wildcard {
		address = "0.0.0.0:0"
	}
	sc.tcp = sc.listen(t, address, sc.front.Serve)
	sc.tls = sc.listen(t, "127.0.0.1:0", sc.front.ServeTLS)
	sc.web, err = web.New(web.Config{Front: sc.front, Limits: web.Limits{ElementBytes: sc.config.Limits.ElementBytes}})
	must(t, err)
	sc.http = sc.listen(t, address, sc.web.Serve)
	t.Cleanup(func() { sc.shutdown(t) })
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log of the front:\n%s", sc.log.String())
		}
	})
	return sc
}

func (sc *scene) listen(t *testing.T, address string, serve func(net.Listener) error) net.Addr {
	t.Helper()
	l, err := net.Listen("tcp4", address)
	must(t, err)
	done := make(chan error, 1)
	go func() { done <- serve(l) }()
	t.Cleanup(func() {
		if err := <-done; !errors.Is(err, component.ErrClosed) && !errors.Is(err, web.ErrClosed) {
			t.Errorf("serving ended with %v", err)
		}
	})
	a := l.Addr().(*net.TCPAddr)
	return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: a.Port}
}

func (sc *scene) shutdown(t *testing.T) {
	t.Helper()
	ctx, done := context.WithTimeout(context.Background(), patience)
	defer done()
	if err := errors.Join(sc.front.Shutdown(ctx), sc.web.Shutdown(ctx)); err != nil {
		t.Error(err)
	}
	if n := sc.front.Panics(); n != sc.panics {
		t.Errorf("%d sessions panicked", n)
	}
}

// token mints one for user, issued steps after the present one.
func (sc *scene) token(t testing.TB, user string, steps int) string {
	t.Helper()
	name, err := auth.PrepareName(user)
	must(t, err)
	token, err := sc.key.Issue(name, testDomain, testNow.Add(time.Duration(steps)*30*time.Second))
	must(t, err)
	return token
}

func newKey(t testing.TB, secret string) auth.Key {
	t.Helper()
	key, err := auth.NewKey(testSeed, secret, time.Time{})
	must(t, err)
	return key
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// refusingUpstream lets nobody in.
type refusingUpstream struct{ err error }

func (u refusingUpstream) Open(context.Context, jid.JID) (net.Conn, error) { return nil, u.err }

// silentUpstream answers when its caller gives up.
type silentUpstream struct{}

func (silentUpstream) Open(ctx context.Context, _ jid.JID) (net.Conn, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

type syncBuffer struct {
	mu      sync.Mutex
	b       strings.Builder
	written chan struct{} // closed by the next write; nil if nobody waits
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.written != nil {
		close(b.written)
		b.written = nil
	}
	return b.b.Write(p)
}

// await returns when text was written.
func (b *syncBuffer) await(t *testing.T, text string) {
	t.Helper()
	late := time.After(patience)
	for {
		b.mu.Lock()
		found := strings.Contains(b.b.String(), text)
		if b.written == nil {
			b.written = make(chan struct{})
		}
		written := b.written
		b.mu.Unlock()
		if found {
			return
		}
		select {
		case <-written:
		case <-late:
			t.Fatalf("%s was not written", text)
		}
	}
}

// empty forgets what was written.
func (b *syncBuffer) empty() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.b.Reset()
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
