package e2e

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base32"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"xtokend/internal/stockserver"
	"xtokend/internal/testcert"
)

const (
	// What xtokend logs when it has read its settings again.
	reloaded = "the settings were read again"
	refused  = "the settings cannot be used: all stays as it was"

	reloads      = 50
	renewEach    = 5 // reloads
	otherDomain  = "other.example"
	rotationKeys = 3
)

// reload has xtokend read the site's settings, and returns when it has logged the
// outcome.
func (s *site) reload(outcome string) {
	s.t.Helper()
	if _, err := s.WriteSettings(); err != nil {
		s.t.Fatal(err)
	}
	s.hangUp(outcome)
}

func (s *site) hangUp(outcome string) {
	s.t.Helper()
	offset := s.front.log.Len()
	s.front.signal(s.t, syscall.SIGHUP)
	s.awaitLog(outcome, offset)
}

// by is the same site, whose tokens another issuer makes.
func (s *site) by(i *issuer) *site {
	other := *s
	other.issuer = i
	return &other
}

// host is the address that xtokend's services have.
func (s *site) host() string {
	host, _, _ := strings.Cut(s.StartTLS, ":")
	return host
}

// newCertificate makes one that the site's clients trust from now on.
func (s *site) newCertificate(serial int64) *testcert.Pair {
	s.t.Helper()
	pair, err := testcert.New(testcert.Spec{Serial: serial, Names: []string{domain}, Addresses: []net.IP{net.ParseIP(s.host())}})
	if err != nil {
		s.t.Fatal(err)
	}
	s.tls.RootCAs.AppendCertsFromPEM(pair.Authority)
	return pair
}

// put replaces a file as a whole.
func (s *site) put(path string, content []byte) {
	s.t.Helper()
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		s.t.Fatal(err)
	}
}

// rotation is the keys of a domain, the next one of which is known before tokens are
// signed with it.
type rotation struct {
	keys    [rotationKeys]map[string]any
	issuers [rotationKeys]*issuer

	mu  sync.RWMutex // read while a token is on its way
	now int
}

func newRotation(t *testing.T, s *site) *rotation {
	r := &rotation{}
	for i := range r.keys {
		key := *s.Installation
		r.issuers[i] = s.issuer
		if i > 0 {
			random := make([]byte, 20)
			rand.Read(random)
			key.OTPSeed, key.TokenSecret = base32.StdEncoding.EncodeToString(random), rand.Text()+rand.Text()
			r.issuers[i] = newIssuer(t, &key, "")
			s.forbid(key.Secrets)
			s.forbid(r.issuers[i].secrets)
		}
		r.keys[i] = map[string]any{"otp_seed": key.OTPSeed, "token_secret": key.TokenSecret}
	}
	return r
}

// with does something that takes a token of the present key.
func (r *rotation) with(s *site, do func(*site) error) error {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return do(s.by(r.issuers[r.now]))
}

// next signs with the next key from now on. No token of the one before is on its way.
func (r *rotation) next() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = (r.now + 1) % rotationKeys
}

// Keys are rotated and certificates renewed, a listener and a domain come and go, over
// and over; meanwhile every login succeeds and no message of those who talk is lost.
func TestReloadsEndNoSession(t *testing.T) {
	onEachUpstream(t, func(t *testing.T, behind upstream) {
		s := newSiteOn(t, behind, func(s *site) { s.Limits = map[string]any{"failed_per_minute_per_address": 0} })
		s.lengthen(3 * testTimeout)
		keys := newRotation(t, s)
		pairs := make([]*testcert.Pair, reloads/renewEach)
		for i := range pairs {
			pairs[i] = s.newCertificate(int64(100 + i))
		}
		var extra string
		if err := stockserver.FreeAddresses(s.host(), &extra); err != nil {
			t.Fatal(err)
		}

		ctx, stop := context.WithCancel(s.ctx)
		var running sync.WaitGroup
		defer running.Wait()
		defer stop()
		var visits, messages []*atomic.Int64
		for n, to := range s.allServices() {
			visited, said := new(atomic.Int64), new(atomic.Int64)
			visits, messages = append(visits, visited), append(messages, said)
			running.Go(func() {
				for ctx.Err() == nil {
					if err := keys.with(s, func(s *site) error { return s.visit(to, fmt.Sprint("comer", n)) }); err != nil {
						t.Errorf("a login over %s: %v", to.name, err)
						return
					}
					visited.Add(1)
				}
			})
			talker := s.mustOpen(to)
			if err := talker.authenticate("X-TOKEN", fmt.Sprint("talker", n), s.issuer.token(fmt.Sprint("talker", n))); err != nil {
				t.Fatal(err)
			}
			address, err := talker.bind()
			if err != nil {
				t.Fatal(err)
			}
			running.Go(func() {
				if err := talkToOneself(ctx, talker, address, said); err != nil {
					t.Errorf("a talk over %s: %v", to.name, err)
				}
			})
		}

		var left []*stream
		for n := range reloads {
			present := n%2 == 0
			s.Limits["auth_attempts"] = 3 + n%2
			s.Edit = func(settings map[string]any) {
				domains := settings["domain"].([]map[string]any)
				domains[0]["key"] = []map[string]any{keys.keys[(keys.now+1)%rotationKeys], keys.keys[keys.now]}
				if present {
					settings["listen"] = append(settings["listen"].([]string), "xmpp://"+extra)
					settings["domain"] = append(domains, map[string]any{"name": otherDomain, "upstream": "host", "key": []map[string]any{keys.keys[0]}})
				}
			}
			if n%renewEach == 0 {
				s.put(s.KeyFile(), pairs[n/renewEach].Key)
				s.put(s.CertificateFile(), pairs[n/renewEach].Certificate)
			}
			s.reload(reloaded)
			keys.next()
			s.seeDomain(t, otherDomain, present)
			to := service{name: "a listener that comes and goes", scheme: "xmpp", address: extra}
			if present {
				if err := keys.with(s, func(s *site) error {
					left = append(left, s.mustBind(fmt.Sprint("left", n), to))
					return nil
				}); err != nil {
					t.Fatal(err)
				}
			} else if conn, err := net.Dial("tcp", extra); err == nil {
				conn.Close()
				t.Errorf("somebody listens at %s, which is taken out", extra)
			}
			if t.Failed() {
				return
			}
		}
		for _, counts := range [][]*atomic.Int64{visits, messages} {
			for n, count := range counts {
				for again := time.NewTicker(lookAgain); count.Load() < 3 && !t.Failed(); <-again.C {
				}
				t.Logf("over %s: %d", s.allServices()[n].name, count.Load())
			}
		}
		stop()
		running.Wait()
		for _, stream := range left {
			s.ping(t, stream)
		}
		text := s.mustAsk(t, "/metrics", 200)
		if got := metric(t, text, "xtokend_settings_reloads_total"); got != reloads {
			t.Errorf("%d reloads are counted, want %d", got, reloads)
		}
		for _, name := range []string{"xtokend_panics_total", "xtokend_upstream_open_failures_total", "xtokend_replay_store_failures_total"} {
			if count := metric(t, text, name); count != 0 {
				t.Errorf("%s is %d", name, count)
			}
		}
	})
}

// talkToOneself says things to itself, which must come back in order, until ctx ends.
func talkToOneself(ctx context.Context, s *stream, address string, said *atomic.Int64) error {
	for n := 0; ctx.Err() == nil; n++ {
		word := fmt.Sprintf("number %d", n)
		if err := s.write("<message xmlns='jabber:client' to='%s' type='chat'><body>%s</body></message>", address, word); err != nil {
			return err
		}
		for {
			e, err := s.read()
			if err != nil {
				return err
			}
			if e.is("jabber:client", "message") {
				if body, _ := e.child("body"); body.Text != word {
					return fmt.Errorf("in place of %q came %v", word, e)
				}
				break
			}
		}
		said.Add(1)
	}
	return nil
}

// seeDomain fails the test unless a domain is served, or not.
func (s *site) seeDomain(t *testing.T, name string, served bool) {
	t.Helper()
	conn, err := net.Dial("tcp", s.StartTLS)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	defer context.AfterFunc(s.ctx, func() { conn.Close() })()
	fmt.Fprintf(conn, "<stream:stream xmlns='jabber:client' xmlns:stream='%s' to='%s' version='1.0'>", nsStreams, name)
	var got strings.Builder
	for buf := make([]byte, 4096); ; {
		n, err := conn.Read(buf)
		got.Write(buf[:n])
		switch text := got.String(); {
		case strings.Contains(text, "<host-unknown ") && !served, strings.Contains(text, "</stream:features>") && served:
			return
		case err != nil || strings.Contains(text, "</stream:"):
			t.Fatalf("%s is served: %t, want %t: %s %v", name, !served, served, text, err)
		}
	}
}

// New clients see a renewed certificate, whether or not the settings are read again,
// and never the half of one.
func TestARenewedCertificateIsShown(t *testing.T) {
	s := newSiteOn(t, builtInHost, nil)
	services := append(s.tcpServices(), s.service("https"))
	shown := func(to service) int64 {
		t.Helper()
		var serial int64
		config := s.tls.Clone()
		config.VerifyConnection = func(c tls.ConnectionState) error {
			serial = c.PeerCertificates[0].SerialNumber.Int64()
			return nil
		}
		other := *s
		other.tls = config
		stream, err := other.open(to)
		if err != nil {
			t.Fatalf("over %s: %v", to.name, err)
		}
		stream.close()
		return serial
	}
	allShow := func(want int64) {
		t.Helper()
		for _, to := range services {
			if got := shown(to); got != want {
				t.Errorf("over %s: certificate %d, want %d", to.name, got, want)
			}
		}
	}
	again := time.NewTicker(lookAgain)
	defer again.Stop()
	stay := s.mustBind("alice", s.service("xmpps"))
	allShow(2)

	next := s.newCertificate(3)
	s.put(s.KeyFile(), next.Key)
	const half = "the changed certificate cannot be used, the one before stays in use"
	for !strings.Contains(string(s.front.log.Bytes()), half) {
		allShow(2)
		<-again.C
	}
	s.hangUp(refused)
	s.awaitLog("do not make a pair", 0)
	allShow(2)
	s.put(s.CertificateFile(), next.Certificate)
	for shown(services[0]) != 3 {
		<-again.C
	}
	allShow(3)

	next = s.newCertificate(4)
	s.put(s.KeyFile(), next.Key)
	s.put(s.CertificateFile(), next.Certificate)
	s.hangUp(reloaded)
	allShow(4)
	s.ping(t, stay)
}
