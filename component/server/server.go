package server

import (
	"context"
	"crypto/hmac"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
	"mellium.im/xmpp/jid"

	"xtokend/component/upstream"
)

// TLSMode says how streams to the server are protected.
type TLSMode uint8

const (
	TLSNone   TLSMode = iota // not at all: loopback addresses only
	StartTLS                 // RFC 6120 §5; a server that does not offer it is refused
	DirectTLS                // XEP-0368
)

const (
	// openTimeout bounds Open whatever its context says.
	openTimeout = 30 * time.Second

	// maxElementBytes and maxElementDepth bound what the server sends until SASL
	// has succeeded. A long list of features needs about 2 kB.
	maxElementBytes = 64 << 10
	maxElementDepth = 16

	// defaultKeptKeys is about 12 MB of keys.
	defaultKeptKeys = 16384
)

// Config says where the server is and how its accounts are kept.
type Config struct {
	// Domain is the domainpart that the server serves and the front accepts.
	Domain string

	// Addresses are host:port pairs of the server's client port, or of several
	// servers that share their accounts. Connections are spread over them, and
	// an address that cannot be reached is passed over.
	Addresses []string

	// TLS protects the streams. TLSConfig holds authorities and server name for
	// StartTLS and DirectTLS; nil means the system's authorities and Domain, as
	// do its zero fields. It is copied.
	TLS       TLSMode
	TLSConfig *tls.Config

	// SendProxy begins each connection with a header of the PROXY protocol,
	// version 2, that names the client (see [upstream.WithClient]). The server
	// must expect it on these addresses.
	SendProxy bool

	// AccountSecret is the key that every account's password is made from, see
	// [Password]. At least 16 bytes.
	AccountSecret []byte

	// PreviousSecret is the account secret before, while it is being changed: who has
	// an account with its password is let in too. The account gets its new password
	// at a login while its user has no other session, if Accounts is also a
	// [ResourceCounter]. Nil: accounts have the password of AccountSecret alone.
	PreviousSecret []byte

	// PreviousUsed is called at each login with the password of PreviousSecret. Nil:
	// nothing is.
	PreviousUsed func()

	// Accounts makes accounts that do not exist. Nil: accounts are never
	// touched.
	Accounts Accounts

	// Takeover allows the password of an account to be set that existed before
	// this program knew of it. Protected names accounts for which it never is:
	// localparts, or bare JIDs of Domain.
	Takeover  bool
	Protected []string

	// KeptKeys is how many users' SCRAM keys are kept, about 700 bytes each.
	// Zero: 16384.
	KeptKeys int

	// Log receives warnings that need an administrator. Nil: none is written.
	Log *slog.Logger

	// Now is the clock of the hourly bound on takeovers. Nil: time.Now.
	Now func() time.Time
}

// Server opens streams for users at a stock server. It implements
// [upstream.Upstream]; its methods may be called from any goroutine.
type Server struct {
	dialer       *dialer
	secret       []byte
	change       *change // nil: the secret is not being changed
	previousUsed func()  // may be nil
	keys         *keys
	accounts     Accounts
	takeover     bool
	protected    map[string]bool // bare JIDs
	log          *slog.Logger

	// takingOver lets one takeover happen at a time, so that logins of one user
	// that come together set its password once.
	takingOver *semaphore.Weighted
	takeovers  *hourly
	warnings   *hourly
}

var _ upstream.Upstream = (*Server)(nil)

// New checks the settings. Nothing is dialled before the first Open.
func New(c Config) (*Server, error) {
	d, err := newDialer(c)
	if err != nil {
		return nil, err
	}
	if len(c.AccountSecret) < 16 {
		return nil, errors.New("server: the account secret is shorter than 16 bytes")
	}
	if n := len(c.PreviousSecret); n > 0 && n < 16 {
		return nil, errors.New("server: the previous account secret is shorter than 16 bytes")
	}
	protected := make(map[string]bool, len(c.Protected))
	for _, name := range c.Protected {
		user, err := protectedJID(name, d.domain)
		if err != nil {
			return nil, fmt.Errorf("server: protected name %q: %w", name, err)
		}
		protected[user.String()] = true
	}
	if c.KeptKeys == 0 {
		c.KeptKeys = defaultKeptKeys
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Server{
		dialer:       d,
		secret:       append([]byte(nil), c.AccountSecret...),
		change:       newChange(c),
		previousUsed: c.PreviousUsed,
		keys:         newKeys(c.KeptKeys),
		accounts:     c.Accounts,
		takeover:     c.Takeover,
		protected:    protected,
		log:          c.Log,
		takingOver:   semaphore.NewWeighted(1),
		takeovers:    newHourly(c.Now),
		warnings:     newHourly(c.Now),
	}, nil
}

// Renew returns a Server with other settings that shares what s remembers: the
// keys, which KeptKeys of s bounds, the takeovers of the last hour and what has
// been warned of, by the clock of s, and which accounts have their new password.
// Both may be used. The errors are those of [New]. It warns of a secret that was
// replaced and is not the previous one.
func (s *Server) Renew(c Config) (*Server, error) {
	renewed, err := New(c)
	if err != nil {
		return nil, err
	}
	renewed.keys, renewed.takingOver = s.keys, s.takingOver
	renewed.takeovers, renewed.warnings = s.takeovers, s.warnings
	switch known := s.change != nil && renewed.change != nil && hmac.Equal(s.change.previous, renewed.change.previous); {
	case known && hmac.Equal(s.secret, renewed.secret):
		renewed.change = s.change
	case !hmac.Equal(s.secret, renewed.secret) && (renewed.change == nil || !hmac.Equal(s.secret, renewed.change.previous)):
		renewed.log.Warn("the account secret was replaced, and the one before is not its previous one: "+
			"whoever has an account with the old password is refused, or with takeover loses the sessions that are open",
			"hint", "give the secret before as account_secret_previous_file, and send SIGHUP")
	}
	return renewed, nil
}

// protectedJID prepares a protected name as the front prepares an authcid, so
// that the two compare.
func protectedJID(name string, domain jid.JID) (jid.JID, error) {
	user, err := jid.Parse(name)
	if err != nil {
		return jid.JID{}, err
	}
	if user.Localpart() == "" { // a name alone parses as a domain
		return domain.WithLocal(name)
	}
	if !user.Equal(user.Bare()) || !user.Domain().Equal(domain) {
		return jid.JID{}, fmt.Errorf("neither a localpart nor a bare JID of %s", domain)
	}
	return user, nil
}

// Open implements [upstream.Upstream]. The user's account is made if the server
// does not know it and Accounts is set.
func (s *Server) Open(ctx context.Context, user jid.JID) (net.Conn, error) {
	if user.Localpart() == "" || !user.Equal(user.Bare()) || !user.Domain().Equal(s.dialer.domain) {
		return nil, fmt.Errorf("server: %q is no bare JID of %s", user, s.dialer.domain)
	}
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	var conn net.Conn
	var err error
	if s.change != nil {
		conn, err = s.loginAmidChange(ctx, user)
	} else {
		conn, err = s.login(ctx, user)
	}
	if !errors.Is(err, errNotAuthorized) {
		return conn, err
	}
	if conn, err = s.openAccount(ctx, user, err); err == nil && s.change != nil {
		s.change.renew(user.String())
	}
	return conn, err
}

// login opens one stream and authenticates on it.
func (s *Server) login(ctx context.Context, user jid.JID) (net.Conn, error) {
	return s.loginWith(ctx, user, s.secret)
}

// loginWith is login with the password that a secret makes.
func (s *Server) loginWith(ctx context.Context, user jid.JID, secret []byte) (net.Conn, error) {
	var conn net.Conn
	err := s.dialer.withStream(ctx, user, func(st *stream) error {
		err := st.authenticate(ctx, s.keys, user, Password(secret, user))
		if err != nil {
			return fmt.Errorf("SASL: %w", err)
		}
		conn = st.handOver()
		return nil
	})
	if err != nil {
		return nil, err
	}
	return conn, nil
}

// roundRobin spreads connections over n addresses.
type roundRobin struct{ next atomic.Uint64 }

func (r *roundRobin) start(n int) int { return int((r.next.Add(1) - 1) % uint64(n)) }
