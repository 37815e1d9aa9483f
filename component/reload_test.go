package component_test

import (
	"errors"
	"runtime"
	"testing"
	"time"

	"mellium.im/xmpp/jid"

	"xtokend/auth"
	"xtokend/component"
	"xtokend/internal/transcript"
)

const rateLimited = "<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><temporary-auth-failure/>…</failure>"

// reload changes the settings of a scene that runs.
func (sc *scene) reload(t *testing.T, change func(*component.Config)) {
	t.Helper()
	c := sc.config
	change(&c)
	must(t, sc.front.Reload(c))
}

// Whoever has used up the attempts gets none by a reload, whatever it changes.
func TestReloadForgetsNoFailedAttempt(t *testing.T) {
	for _, c := range []struct {
		name          string
		address, user int // limits before
		change        func(*component.Limits)
	}{
		{"of an address, nothing changes", 2, 0, func(*component.Limits) {}},
		{"of an address, its limit", 2, 0, func(l *component.Limits) { l.FailedPerMinutePerAddress = 1 }},
		{"of an address, a higher limit", 2, 0, func(l *component.Limits) { l.FailedPerMinutePerAddress = 10 }},
		{"of an address, that of users", 2, 0, func(l *component.Limits) { l.FailedPerMinutePerUser = 5 }},
		{"of a user, its limit", 0, 2, func(l *component.Limits) { l.FailedPerMinutePerUser = 1 }},
		{"of a user, another prefix", 0, 2, func(l *component.Limits) { l.IPv6Prefix = 48 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			sc := &scene{}
			sc.config.Limits.FailedPerMinutePerAddress, sc.config.Limits.FailedPerMinutePerUser = c.address, c.user
			sc.config.Limits.IPv6Prefix = 64
			sc.start(t)
			client := sc.dial(t, "tcp")
			client.open()
			for range 2 {
				client.send(transcript.AuthElement("X-TOKEN", "", "alice", forged(t, "alice")))
				client.expect(notAuthorized)
			}
			sc.reload(t, func(config *component.Config) { c.change(&config.Limits) })
			for _, how := range []string{"tcp", "websocket"} {
				again := sc.dial(t, how)
				again.open()
				again.send(transcript.AuthElement("X-TOKEN", "", "alice", sc.token(t, "alice", 0)))
				again.expect(rateLimited)
			}
		})
	}
}

// A limit that is taken out is none, and one that is set holds for what fails then.
func TestReloadOfTheLimitOfFailedAttempts(t *testing.T) {
	sc := &scene{}
	sc.config.Limits.FailedPerMinutePerAddress, sc.config.Limits.AuthAttempts = 1, 10
	sc.start(t)
	client := sc.dial(t, "tcp")
	client.open()
	fails := func(answer string) {
		t.Helper()
		client.send(transcript.AuthElement("X-TOKEN", "", "alice", forged(t, "alice")))
		client.expect(answer)
	}
	fails(notAuthorized)
	fails(rateLimited)
	sc.reload(t, func(c *component.Config) { c.Limits.FailedPerMinutePerAddress = -1 })
	fails(notAuthorized)
	sc.reload(t, func(c *component.Config) { c.Limits.FailedPerMinutePerAddress = 1 })
	fails(notAuthorized)
	fails(rateLimited)
}

// The failed attempts of one stream stay its own.
func TestReloadDoesNotBeginAStreamAnew(t *testing.T) {
	sc := &scene{}
	sc.config.Limits.AuthAttempts = 2
	sc.start(t)
	client := sc.dial(t, "tcp")
	client.open()
	for range 2 {
		client.send(transcript.AuthElement("X-TOKEN", "", "alice", forged(t, "alice")))
		client.expect(notAuthorized)
		sc.reload(t, func(*component.Config) {})
	}
	client.send(transcript.AuthElement("X-TOKEN", "", "alice", sc.token(t, "alice", 0)))
	client.expect(policyViolation)
	client.expectEOF()
}

// What is taken out is so for a stream that began before, on each transport.
func TestReloadHoldsForTheNextAttempt(t *testing.T) {
	for _, transport := range allTransports {
		t.Run(transport, func(t *testing.T) {
			sc := (&scene{}).start(t)
			other, err := auth.NewVerifier(auth.Config{Domain: testDomain, Keys: []auth.Key{newKey(t, "MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U")},
				Store: sc.store, Now: func() time.Time { return testNow }})
			must(t, err)
			key, domain := sc.dial(t, transport), sc.dial(t, transport)
			key.open()
			domain.open()
			sc.reload(t, func(c *component.Config) {
				c.Domains = []component.Domain{{Name: testDomain, Verifier: other, Upstream: sc.upstream}}
			})
			key.send(transcript.AuthElement("X-TOKEN", "", "alice", sc.token(t, "alice", 0)))
			key.expect(notAuthorized)
			sc.reload(t, func(c *component.Config) { c.Domains = []component.Domain{sc.elsewhere(t)} })
			domain.send(transcript.AuthElement("X-TOKEN", "", "alice", sc.token(t, "alice", 0)))
			domain.expect("<stream:error><host-unknown …</stream:error></stream:stream>")
			domain.expectEOF()
		})
	}
}

// elsewhere is another domain.
func (sc *scene) elsewhere(t *testing.T) component.Domain {
	t.Helper()
	verifier, err := auth.NewVerifier(auth.Config{Domain: "example.net", Keys: []auth.Key{sc.key}, Store: sc.store})
	must(t, err)
	return component.Domain{Name: "example.net", Verifier: verifier, Upstream: sc.upstream}
}

// The sessions of a domain that is taken out go on, until somebody ends them.
func TestRevokeInADomainThatIsNoMore(t *testing.T) {
	sc := (&scene{}).start(t)
	client := sc.dial(t, "bosh")
	client.login(sc, "alice")
	sc.reload(t, func(c *component.Config) { c.Domains = []component.Domain{sc.elsewhere(t)} })
	client.send("<message/>")
	client.expect("<message/>")
	ended, err := sc.front.Revoke(t.Context(), jid.MustParse("alice@example.org"))
	if ended != 1 || !errors.Is(err, component.ErrUnknownDomain) {
		t.Errorf("%d sessions were ended, %v", ended, err)
	}
	client.expect(endedByAdministrator)
}

// A proxy that is trusted no more names nobody, also on a connection from before.
func TestReloadTakesTheTrustFromProxies(t *testing.T) {
	sc := &scene{}
	sc.config.TrustedProxies = loopback
	sc.start(t)
	before := sc.dial(t, "tcp")
	for sc.front.Stats().Unauthenticated == 0 { // until it is accepted
		runtime.Gosched()
	}
	sc.reload(t, func(c *component.Config) { c.TrustedProxies = nil })
	before.send(v2OverTLS + header)
	before.expectEOF()
	sc.log.await(t, `reason="PROXY header of a proxy that is trusted no more"`)
	direct := sc.dial(t, "tcp")
	direct.send(header)
	direct.expect(onLoopback)
}
