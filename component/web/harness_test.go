package web_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"xtokend/auth"
	"xtokend/auth/replay"
	"xtokend/component"
	"xtokend/component/web"
	"xtokend/internal/fronttest"
	"xtokend/internal/testcert"
)

const (
	testDomain = "example.org"
	patience   = 20 * time.Second // no wait of a test is longer; none is ever meant to be
)

var testNow = time.Unix(1551193138, 0)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// scene is a running front with an upstream that echoes, and a web server before
// it.
type scene struct {
	address      string        // that the listeners are bound to; loopback if empty
	header, idle time.Duration // for the header of a request and between two; the server's own if zero
	limits       component.Limits
	config       web.Config
	echo         fronttest.Echo
	proxyHeader  string // that clients' connections begin with

	http, https, proxies string // host:port of the listeners
	front                *component.Front
	web                  *web.Server
	key                  auth.Key
	clientTLS            *tls.Config
	log                  logBuffer
}

// start serves until the test ends.
func (sc *scene) start(t *testing.T) *scene {
	t.Helper()
	var err error
	sc.key, err = auth.NewKey("XVGR73KMZH2M4XMY", "JYXEX4IQOEYFYQ2S3MC5P4ZT4SDHYEA7", time.Time{})
	must(t, err)
	store := replay.NewMemory(replay.MemoryOptions{})
	t.Cleanup(func() { store.Close() })
	verifier, err := auth.NewVerifier(auth.Config{Domain: testDomain, Keys: []auth.Key{sc.key}, Skew: 1,
		Store: store, Now: func() time.Time { return testNow }})
	must(t, err)
	pair, err := testcert.New(testcert.Spec{Serial: 2, Names: []string{testDomain}})
	must(t, err)
	certificate, err := pair.TLS()
	must(t, err)
	sc.clientTLS = &tls.Config{ServerName: testDomain, RootCAs: pair.Roots}
	log := slog.New(slog.NewTextHandler(&sc.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	sc.front, err = component.New(component.Config{
		Domains: []component.Domain{{Name: testDomain, Verifier: verifier, Upstream: &sc.echo}},
		Limits:  sc.limits, Logger: log, Now: func() time.Time { return testNow },
	})
	must(t, err)
	sc.config.Front, sc.config.Logger = sc.front, log
	sc.config.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	sc.web, err = web.New(sc.config)
	must(t, err)
	setTimeouts(sc)
	t.Cleanup(func() { sc.echo.Ends() })
	sc.http = sc.listen(t, sc.web.Serve)
	sc.https = sc.listen(t, sc.web.ServeTLS)
	sc.proxies = sc.listen(t, sc.web.ServeProxies)
	t.Cleanup(func() { sc.shutdown(t) })
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log of the front:\n%s", sc.log.String())
		}
	})
	return sc
}

func (sc *scene) listen(t *testing.T, serve func(net.Listener) error) string {
	t.Helper()
	address := sc.address
	if address == "" {
		address = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp4", address)
	must(t, err)
	done := make(chan error, 1)
	go func() { done <- serve(l) }()
	t.Cleanup(func() {
		if err := <-done; !errors.Is(err, web.ErrClosed) {
			t.Errorf("serving ended with %v", err)
		}
	})
	return l.Addr().String()
}

func (sc *scene) shutdown(t *testing.T) {
	t.Helper()
	ctx, done := context.WithTimeout(context.Background(), patience)
	defer done()
	if err := errors.Join(sc.front.Shutdown(ctx), sc.web.Shutdown(ctx)); err != nil {
		t.Error(err)
	}
	if sc.front.Panics() != 0 || sc.web.Panics() != 0 {
		t.Error("something panicked")
	}
}

// token mints one for user.
func (sc *scene) token(t testing.TB, user string) string {
	t.Helper()
	name, err := auth.PrepareName(user)
	must(t, err)
	token, err := sc.key.Issue(name, testDomain, testNow)
	must(t, err)
	return token
}

func (sc *scene) connect(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err == nil {
		_, err = io.WriteString(conn, sc.proxyHeader)
	}
	return conn, err
}

// client returns an HTTP client that trusts the server and ends with the test.
func (sc *scene) client(t *testing.T) *http.Client {
	transport := &http.Transport{TLSClientConfig: sc.clientTLS.Clone(), ForceAttemptHTTP2: true, ResponseHeaderTimeout: patience, DialContext: sc.connect}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}

// awaitLog returns once the log has a line with all of the texts.
func (sc *scene) awaitLog(t *testing.T, texts ...string) {
	t.Helper()
	deadline := time.After(patience)
	for {
		changed := sc.log.changed()
		for line := range strings.Lines(sc.log.String()) {
			found := true
			for _, text := range texts {
				found = found && strings.Contains(line, text)
			}
			if found {
				return
			}
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatal(fmt.Errorf("the log has no line with %q", texts))
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// logBuffer keeps a log and tells who waits for it of each line.
type logBuffer struct {
	mu   sync.Mutex
	b    strings.Builder
	wake chan struct{}
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.wake != nil {
		close(b.wake)
		b.wake = nil
	}
	return b.b.Write(p)
}

func (b *logBuffer) changed() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.wake == nil {
		b.wake = make(chan struct{})
	}
	return b.wake
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
