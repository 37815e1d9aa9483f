package doctor

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"net"
	"net/netip"
	"strings"
	"time"

	"mellium.im/xmpp/jid"

	"xtokend/cmd/xtokend/internal/config"
)

const (
	// TrialPrefix begins the localpart of every trial account.
	TrialPrefix = "xtokend-check-"

	// wholeTimeout bounds an examination, cleanupTimeout what is done after it to
	// leave nothing behind.
	wholeTimeout   = 2 * time.Minute
	cleanupTimeout = 20 * time.Second
)

// Link is a component link of the examination's own. It is connected.
type Link interface {
	Add(ctx context.Context, user jid.JID, password string) error
	SetPassword(ctx context.Context, user jid.JID, password string) error
	Resources(ctx context.Context, user jid.JID) (int, error)
	Remove(ctx context.Context, user jid.JID) error
}

// Domain is one of the settings, with what the caller has for it.
type Domain struct {
	*config.Domain
	// Link is nil if the domain has none, or it cannot be connected; LinkFinding,
	// without its topic and domain, says then why, unless its level is "".
	Link        Link
	LinkFinding Finding
	// Remove removes the trial account that a login made, and everything of it. Nil:
	// nobody can, and no login is tried. An account that does not exist is no error.
	Remove func(ctx context.Context, user jid.JID) error
	// Ask asks about a user's token as a server does that has its clients itself, and so
	// spends it: for [config.UpstreamNone]. Nil: nobody can be asked.
	Ask func(ctx context.Context, user jid.JID, token string) (yes bool, err error)
	// NoLogin says why there is no Remove, or no Ask.
	NoLogin string
}

// Resolver asks the DNS. A *net.Resolver is one.
type Resolver interface {
	LookupSRV(ctx context.Context, service, proto, name string) (cname string, addrs []*net.SRV, err error)
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Options say what is examined, and from where.
type Options struct {
	Domains []Domain
	// Targets are the listeners of the running daemon, or of a front that the caller
	// runs in its place with the same settings.
	Targets []Target
	// Running says that it is the daemon. Its ports are taken then, as they should be.
	Running bool
	// Listeners are those of the settings.
	Listeners []config.Listener
	// Metrics is where the settings have the metrics; the zero value: nowhere.
	Metrics netip.AddrPort
	// HTTPAuth is where the settings have other servers ask; nil: nowhere.
	HTTPAuth *config.HTTPAuth
	// Redis are its addresses in the settings, host:port; none: used tokens are
	// remembered elsewhere.
	Redis []string

	Resolver Resolver
	// Dial connects to what the DNS names. Nil: as usual.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Roots are the authorities that clients trust. Nil: the system's.
	Roots *x509.CertPool
	// Addresses are those of this machine, beyond loopback.
	Addresses []netip.Addr
	// Now is the clock that the server's is compared with, and by which certificates
	// expire. Nil: time.Now.
	Now func() time.Time
}

// examination is one run.
type examination struct {
	Options
	report report
}

// Examine looks at everything, and returns what it found in the order in which it
// looked. It takes two minutes at most, and some seconds more to remove what it has
// made, also when ctx ends early.
func Examine(ctx context.Context, o Options) []Finding {
	if o.Dial == nil {
		o.Dial = new(net.Dialer).DialContext
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	x := &examination{Options: o}
	ctx, cancel := context.WithTimeout(ctx, wholeTimeout)
	defer cancel()
	x.ports(ctx)
	x.redis(ctx)
	for i := range x.Domains {
		x.domain(ctx, &x.Domains[i])
	}
	if ctx.Err() != nil {
		x.about(TopicSettings, "").fail("run it again; what has taken its time is above", "the examination was ended before everything was looked at")
	}
	return x.report.findings
}

// domain examines one domain.
func (x *examination) domain(ctx context.Context, d *Domain) {
	if d.Upstream == config.UpstreamNone {
		x.questions(ctx, d) // clients, the DNS and all else are another server's
		return
	}
	if d.Upstream == config.UpstreamServer {
		x.servers(ctx, d)
	}
	x.trial(ctx, d)
	x.dns(ctx, d)
	x.otherServers(ctx, d)
	x.publicURLs(ctx, d)
}

func (x *examination) about(t Topic, domain string) about {
	return about{&x.report, t, domain}
}

// step bounds what is done over one connection.
func step(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, stepTimeout)
}

// trialUser is a user whom nobody else has.
func trialUser(domain string) (jid.JID, error) {
	return jid.New(TrialPrefix+strings.ToLower(rand.Text()[:12]), domain, "")
}
