package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"xtokend/internal/nginxtest"
	"xtokend/internal/stockserver"
)

// visitor is the address from which these clients come, so that xtokend's log
// tells them from the proxy, whose connections come from 127.0.0.1.
const visitor = "127.77.7.7"

// webProxy is a program in front of xtokend, with the settings that contrib has
// for it.
type webProxy struct {
	name string
	file string // in contrib
	// start starts the program with the text of file, in which the addresses,
	// ports and certificates are those of s, in dir. It returns where it listens.
	start func(t *testing.T, s *site, dir, text string) string
}

var webProxies = []webProxy{
	{name: "nginx", file: "nginx.conf", start: startNginx},
	{name: "HAProxy", file: "haproxy.cfg", start: startHAProxy},
}

// webEndpoint is where a page connects: sites have written the slash, or not.
type webEndpoint struct{ name, transport, path string }

var webEndpoints = []webEndpoint{
	{"websocket", "websocket", "/xmpp-websocket"},
	{"websocket with a slash", "websocket", "/xmpp-websocket/"},
	{"bosh", "bosh", "/http-bind"},
	{"bosh with a slash", "bosh", "/http-bind/"},
}

func TestBrowsersLogInThroughAProxy(t *testing.T) {
	onEachServer(t, func(t *testing.T, behind upstream) {
		for _, proxy := range webProxies {
			t.Run(proxy.name, func(t *testing.T) {
				s := newSiteOn(t, behind, func(s *site) { s.PublicURLs = []string{"wss://chat.example.org/xmpp-websocket"} })
				address := proxy.start(t, s, t.TempDir(), contribution(t, proxy.file))
				client := s.visitor(t, address)
				for _, endpoint := range webEndpoints {
					t.Run(endpoint.name, func(t *testing.T) {
						s.logInThrough(t, client, endpoint, visitor, http.Header{
							"Origin":            {"https://" + address},
							"X-Forwarded-For":   {"198.51.100.1"}, // not its own
							"X-Forwarded-Proto": {"http"},
						})
					})
				}
				t.Run("origin", func(t *testing.T) {
					for origin, want := range map[string]int{"https://" + address: http.StatusOK, "https://www.example.org": http.StatusForbidden} {
						if got, _ := client.get(t, "/xtoken.js", origin); got != want {
							t.Errorf("a page of %s is answered with status %d, want %d", origin, got, want)
						}
					}
				})
				t.Run("host-meta", func(t *testing.T) {
					for _, path := range []string{"/.well-known/host-meta", "/.well-known/host-meta.json"} {
						if status, body := client.get(t, path, ""); status != http.StatusOK || !strings.Contains(body, "wss://chat.example.org/xmpp-websocket") {
							t.Errorf("%s: status %d, body %q", path, status, body)
						}
					}
				})
			})
		}
	})
}

func TestNobodyLogsInThroughAProxyThatDoesNotSayHTTPS(t *testing.T) {
	onEachServer(t, func(t *testing.T, behind upstream) {
		for _, proxy := range webProxies {
			t.Run(proxy.name, func(t *testing.T) {
				s := newSiteOn(t, behind, nil)
				address := proxy.start(t, s, t.TempDir(), without(t, "X-Forwarded-Proto", contribution(t, proxy.file)))
				client := s.visitor(t, address)
				if status, _ := client.get(t, "/xtoken.js", "https://"+address); status != http.StatusForbidden {
					t.Errorf("the page, which has come over TLS, is answered with status %d", status)
				}
				for _, endpoint := range webEndpoints {
					for _, mechanism := range []string{"X-TOKEN", "HMAC", "PLAIN"} {
						t.Run(endpoint.name+" "+mechanism, func(t *testing.T) {
							offset := s.front.log.Len()
							stream := client.connect(t, endpoint, nil)
							features, err := stream.open()
							if err != nil {
								t.Fatal(err)
							}
							if offered, ok := features.child("mechanisms"); ok {
								t.Errorf("mechanisms are offered: %v", offered)
							}
							err = stream.authenticate(mechanism, "alice", s.issuer.token("alice"))
							if refused := saslFailure(""); !errors.As(err, &refused) || refused != "encryption-required" {
								t.Errorf("the login is answered by: %v", err)
							}
							s.awaitLog("reason=encryption-required", offset)
						})
					}
				}
			})
		}
	})
}

// A trusted proxy that tells of nobody behind it cannot be told from a client on
// this machine: it may log in, and the log has its own address.
func TestAProxyThatSaysNothingIsTheClient(t *testing.T) {
	onEachServer(t, func(t *testing.T, behind upstream) {
		for _, proxy := range webProxies {
			t.Run(proxy.name, func(t *testing.T) {
				s := newSiteOn(t, behind, nil)
				address := proxy.start(t, s, t.TempDir(), without(t, "X-Forwarded-", contribution(t, proxy.file)))
				client := s.visitor(t, address)
				for _, endpoint := range webEndpoints {
					t.Run(endpoint.name, func(t *testing.T) { s.logInThrough(t, client, endpoint, "127.0.0.1", nil) })
				}
			})
		}
	})
}

// logInThrough logs alice in with requests that have this header; address is what
// xtokend must take for the client's.
func (s *site) logInThrough(t *testing.T, client *webVisitor, at webEndpoint, address string, header http.Header) {
	t.Helper()
	offset := s.front.log.Len()
	stream := client.connect(t, at, header)
	if _, err := stream.open(); err != nil {
		t.Fatal(err)
	}
	if err := stream.authenticate("X-TOKEN", "alice", s.issuer.token("alice")); err != nil {
		t.Fatal(err)
	}
	jid, err := stream.bind()
	if err != nil || bareJID(jid) != "alice@"+domain {
		t.Errorf("bound to %q, error %v", jid, err)
	}
	s.awaitLog("msg=authenticated address="+address+" transport="+at.transport, offset)
}

// without leaves the lines out that hold word, of which there must be some.
func without(t *testing.T, word, text string) string {
	t.Helper()
	var rest strings.Builder
	for line := range strings.Lines(text) {
		if !strings.Contains(line, word) {
			rest.WriteString(line)
		}
	}
	if rest.Len() == len(text) {
		t.Fatalf("the settings have no %q", word)
	}
	return rest.String()
}

// contribution is the text of a file in contrib.
func contribution(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "contrib", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// settle replaces each first text of a pair by the second; the first must be there.
func settle(t *testing.T, text string, pairs ...string) string {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("the settings have no %q", pairs[i])
		}
		text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
	}
	return text
}

func writeFile(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func startNginx(t *testing.T, s *site, dir, text string) string {
	t.Helper()
	address := freeAddress(t)
	settings := writeFile(t, filepath.Join(dir, "xtokend.conf"), settle(t, text,
		"listen 443 ", "listen "+address+" ",
		"listen [::]:443 ", "listen "+freeAddress(t)+" ",
		"/etc/ssl/chat.example.org/fullchain.pem", s.CertificateFile(),
		"/etc/ssl/chat.example.org/privkey.pem", s.KeyFile(),
		"127.0.0.1:5280", s.HTTP))
	nginxtest.Start(s.ctx, t, dir, "include "+settings+";")
	return address
}

func startHAProxy(t *testing.T, s *site, dir, text string) string {
	t.Helper()
	return runHAProxy(t, s, dir, text)[0]
}

// runHAProxy returns where it listens for browsers, for direct TLS and for
// STARTTLS.
func runHAProxy(t *testing.T, s *site, dir, text string) (addresses [3]string) {
	t.Helper()
	text = settle(t, text, "127.0.0.1:5280", s.HTTP, "127.0.0.1:5230", s.StartTLS)
	return [3]string(runHAProxyOn(t, s, dir, text, ":::443 v4v6", ":::5223 v4v6", ":::5222 v4v6"))
}

// runHAProxyOn returns where it listens in place of each of these.
func runHAProxyOn(t *testing.T, s *site, dir, text string, places ...string) (addresses []string) {
	t.Helper()
	host, _, err := net.SplitHostPort(s.HTTP) // for which there is a certificate
	if err != nil {
		t.Fatal(err)
	}
	// HAProxy is given sockets that listen already, as it says nothing when its
	// own do.
	var sockets []*os.File
	for i, place := range places {
		listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		socket, err := listener.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		defer socket.Close()
		addresses = append(addresses, listener.Addr().String())
		sockets = append(sockets, socket)
		text = settle(t, text, place, fmt.Sprintf("fd@%d", 3+i)) // in ExtraFiles
	}
	var pair []byte
	for _, path := range []string{s.CertificateFile(), s.KeyFile()} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		pair = append(pair, text...)
	}
	settings := writeFile(t, filepath.Join(dir, "haproxy.cfg"), settle(t, text,
		"/etc/haproxy/chat.example.org.pem", writeFile(t, filepath.Join(dir, "pair.pem"), string(pair))))
	haproxy := exec.Command(debianProgram(t, "haproxy"), "-db", "-f", settings)
	haproxy.ExtraFiles = sockets
	startProcess(t, "haproxy", haproxy)
	return addresses
}

// debianProgram finds a program that for users other than root may lie outside of
// PATH.
func debianProgram(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/" + name)
	}
	if err != nil {
		t.Fatalf("%v; `make setup` installs it", err)
	}
	return path
}

func freeAddress(t *testing.T) (address string) {
	t.Helper()
	if err := stockserver.FreeAddresses(loopbackHost().String(), &address); err != nil {
		t.Fatal(err)
	}
	return address
}

// webVisitor is what connects to an address from that of a visitor, over TLS.
type webVisitor struct {
	ctx     context.Context
	address string
	// BOSH goes over HTTP/2 if the proxy offers it, WebSocket needs HTTP/1.1.
	bosh, websocket *http.Client
}

func (s *site) visitor(t *testing.T, address string) *webVisitor {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(visitor)}}
	client := func(http2 bool) *http.Client {
		transport := &http.Transport{DialContext: dialer.DialContext, TLSClientConfig: s.tls.Clone(), ForceAttemptHTTP2: http2}
		t.Cleanup(transport.CloseIdleConnections)
		return &http.Client{Transport: transport}
	}
	return &webVisitor{ctx: s.ctx, address: address, bosh: client(true), websocket: client(false)}
}

// get fetches a file for a page of origin, if that is not empty.
func (v *webVisitor) get(t *testing.T, path, origin string) (status int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(v.ctx, http.MethodGet, "https://"+v.address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if origin != "" {
		r.Header.Set("Origin", origin)
	}
	answer, err := v.bosh.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// connect makes a stream, whose requests have this header; no origin is that of
// a client that is no browser.
func (v *webVisitor) connect(t *testing.T, to webEndpoint, header http.Header) *stream {
	t.Helper()
	if to.transport == "bosh" {
		return &stream{framing: &boshFraming{ctx: v.ctx, client: v.bosh, url: "https://" + v.address + to.path, fields: header, rid: 1573741820}}
	}
	conn, _, err := websocket.Dial(v.ctx, "wss://"+v.address+to.path, &websocket.DialOptions{
		HTTPClient: v.websocket, HTTPHeader: header, Subprotocols: []string{"xmpp"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.CloseNow() })
	return &stream{framing: &webFraming{ctx: v.ctx, conn: conn}}
}
