package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
	"mellium.im/xmpp/jid"
)

const (
	// changeTimeout bounds what a login waits for its account's new password. If it
	// takes longer the login goes on, and the next one tries again.
	changeTimeout = 3 * time.Second

	// changesAtOnce bounds the passwords that are set at a time: each costs the
	// server a key derivation. The logins beyond it leave theirs to the next one.
	changesAtOnce = 2

	// guessesAtOnce bounds the logins under way that may try the wrong password first.
	// ejabberd's mod_fail2ban shuts an address out for an hour after 20 failed attempts
	// with no successful one between them, and all of them come from here.
	guessesAtOnce = 8

	// bindTime is how long after a login its session may not be bound yet, so that
	// the server does not count it among the user's.
	bindTime = time.Minute

	// maxChanging bounds the users that are remembered. Then all are forgotten,
	// which costs each of them one more attempt.
	maxChanging = 100_000
)

// ResourceCounter is what [Accounts] implement that know who is online. Without it
// accounts keep the password they have while a secret is being changed.
type ResourceCounter interface {
	// Resources is how many resources of user are bound (RFC 6120 §7), whatever way
	// they have come, those included that wait to be resumed (XEP-0198).
	Resources(ctx context.Context, user jid.JID) (int, error)
}

// change is what is known of accounts while their secret is being changed. Its lock
// is a leaf.
type change struct {
	previous []byte
	now      func() time.Time
	running  *semaphore.Weighted
	guesses  *semaphore.Weighted

	mu      sync.Mutex
	users   map[string]*changing // by bare JID
	renewed bool                 // the last user to log in had the new password already
}

// changing is one user's account.
type changing struct {
	renewed  bool      // it has the password of the new secret
	last     time.Time // a session was let in with the old one
	underway chan struct{}
}

// newChange returns nil if nothing is being changed.
func newChange(c Config) *change {
	if len(c.PreviousSecret) == 0 {
		return nil
	}
	return &change{
		previous: append([]byte(nil), c.PreviousSecret...), now: c.Now,
		running: semaphore.NewWeighted(changesAtOnce), guesses: semaphore.NewWeighted(guessesAtOnce),
		users: make(map[string]*changing),
	}
}

// isRenewed says which password to try first: that which the account had last, or
// else what the account of somebody else had. It is sure of the new one alone: an
// account with the old one may get the new one from another node.
func (g *change) isRenewed(user string) (renewed, sure bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if u := g.users[user]; u != nil {
		return u.renewed, u.renewed
	}
	return g.renewed, false
}

// found remembers which password a user had at a login, and renew that the account
// has the new one since.
func (g *change) found(user string, renewed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.renewed = renewed
	g.of(user).renewed = renewed
}

func (g *change) renew(user string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.of(user).renewed = true
}

// of is called with the lock held.
func (g *change) of(user string) *changing {
	u := g.users[user]
	if u == nil {
		if len(g.users) >= maxChanging {
			clear(g.users)
		}
		u = &changing{}
		g.users[user] = u
	}
	return u
}

// begin says whether the password of a user may be changed now, as far as is known
// here; done must be called then. If another login of the user is about to change it,
// begin waits for that, and says no.
func (g *change) begin(ctx context.Context, user string) (done func(), ok bool) {
	g.mu.Lock()
	u := g.of(user)
	if underway := u.underway; underway != nil {
		g.mu.Unlock()
		select {
		case <-underway:
		case <-ctx.Done():
		}
		return nil, false
	}
	defer g.mu.Unlock()
	now := g.now()
	recent := !u.last.IsZero() && now.Sub(u.last).Abs() < bindTime
	u.last = now
	if recent || !g.running.TryAcquire(1) {
		return nil, false
	}
	underway := make(chan struct{})
	u.underway = underway
	return func() {
		g.mu.Lock()
		u.underway = nil
		g.mu.Unlock()
		g.running.Release(1)
		close(underway)
	}, true
}

// loginAmidChange logs in with the password of one secret or the other. If it was
// that of the previous one, the account gets its new password, as long as that ends
// nobody's session: Prosody ends all that are bound.
func (s *Server) loginAmidChange(ctx context.Context, user jid.JID) (net.Conn, error) {
	conn, renewed, err := s.loginWithEither(ctx, user)
	if err != nil || renewed {
		return conn, err
	}
	if s.previousUsed != nil {
		s.previousUsed()
	}
	return s.renewPassword(ctx, user, conn)
}

// loginWithEither says whether the account has its new password.
func (s *Server) loginWithEither(ctx context.Context, user jid.JID) (conn net.Conn, renewed bool, err error) {
	name := user.String()
	if _, sure := s.change.isRenewed(name); !sure {
		if err := s.change.guesses.Acquire(ctx, 1); err != nil {
			return nil, false, fmt.Errorf("server: wait for other logins: %w", err)
		}
		defer s.change.guesses.Release(1)
	}
	renewed, _ = s.change.isRenewed(name) // others may have found out meanwhile
	conn, err = s.loginWith(ctx, user, s.secretOf(renewed))
	if errors.Is(err, errNotAuthorized) {
		renewed = !renewed
		conn, err = s.loginWith(ctx, user, s.secretOf(renewed))
	}
	if err != nil {
		return nil, false, err
	}
	s.change.found(name, renewed)
	return conn, renewed, nil
}

func (s *Server) secretOf(renewed bool) []byte {
	if renewed {
		return s.secret
	}
	return s.change.previous
}

// renewPassword gives the account its new password if that is possible and does no
// harm, and returns a stream that is logged in: old, or a new one in its place.
func (s *Server) renewPassword(ctx context.Context, user jid.JID, old net.Conn) (net.Conn, error) {
	counter, ok := s.accounts.(ResourceCounter)
	if !ok || s.protected[user.String()] {
		return old, nil
	}
	bounded, cancel := context.WithTimeout(ctx, changeTimeout)
	defer cancel()
	done, ok := s.change.begin(bounded, user.String())
	if !ok {
		return old, nil
	}
	defer done()
	n, err := counter.Resources(bounded, user)
	if err == nil && n == 0 {
		err = s.accounts.SetPassword(bounded, user, Password(s.secret, user))
	}
	switch {
	case err != nil:
		s.warn(user, "an account keeps the password of the previous account secret", "error", err)
		return old, nil
	case n > 0:
		return old, nil
	}
	s.log.InfoContext(ctx, "an account has the password of the new account secret now", "user", user.String())
	s.change.renew(user.String())
	conn, err := s.loginWith(bounded, user, s.secret)
	if err != nil { // the old stream is as good
		return old, nil
	}
	old.Close()
	return conn, nil
}
