package server

import (
	"context"
	"errors"
	"fmt"
	"net"

	"mellium.im/xmpp/jid"

	"xtokend/component/upstream"
	"xtokend/sasl"
)

// Accounts makes and changes accounts on the server. Its methods may be called
// from any goroutine, and ctx bounds each.
type Accounts interface {
	// Add makes the account of user, a bare JID. The error is
	// ErrAccountExists if there is one already.
	Add(ctx context.Context, user jid.JID, password string) error

	// SetPassword gives an account that exists another password.
	SetPassword(ctx context.Context, user jid.JID, password string) error
}

// ErrAccountExists: an account of this name exists already.
var ErrAccountExists = errors.New("the account exists already")

// Reasons of refusals, for the log.
const (
	reasonNoAccount     = "no-account"      // and none may be made
	reasonExists        = "account-exists"  // with a password that is not ours
	reasonTakeoverLimit = "takeover-limit"  // taken over within the last hour
	reasonUnusable      = "account-refused" // even with the password just set
)

// openAccount goes on after the server has answered not-authorized: it sees to
// it that the account exists and has our password, as far as the settings
// allow, and logs in again.
func (s *Server) openAccount(ctx context.Context, user jid.JID, cause error) (net.Conn, error) {
	if s.accounts == nil {
		s.warn(user, "the server refuses a user, and accounts are not made here",
			"hint", "make the account with `xtokend accounts add`, or set accounts to \"component\"")
		return nil, refused(reasonNoAccount, cause)
	}
	added := s.accounts.Add(ctx, user, Password(s.secret, user))
	if added != nil && !errors.Is(added, ErrAccountExists) {
		return nil, fmt.Errorf("server: make the account of %s: %w", user, added)
	}
	// If it exists, another login of this user may have made it just now.
	conn, err := s.login(ctx, user)
	switch {
	case !errors.Is(err, errNotAuthorized):
		return conn, err
	case added == nil:
		return nil, refused(reasonUnusable, err)
	case s.protected[user.String()]:
		s.warn(user, "an account exists with a password of its own, and is protected",
			"hint", "people with protected names log in to the server directly")
		return nil, refused(reasonExists, err)
	case !s.takeover:
		s.warn(user, "an account exists with a password of its own",
			"hint", "if the account secret was replaced, give the one before as account_secret_previous_file; "+
				"else set takeover = true to give the account a new password, or remove it")
		return nil, refused(reasonExists, err)
	}
	return s.takeOver(ctx, user)
}

// takeOver sets the password of an account that exists.
func (s *Server) takeOver(ctx context.Context, user jid.JID) (net.Conn, error) {
	if err := s.takingOver.Acquire(ctx, 1); err != nil {
		return nil, fmt.Errorf("server: wait for other takeovers: %w", err)
	}
	defer s.takingOver.Release(1)
	// While this login waited, another one may have taken the account over.
	conn, err := s.login(ctx, user)
	if !errors.Is(err, errNotAuthorized) {
		return conn, err
	}
	if !s.takeovers.allow(user.String()) {
		s.warn(user, "an account was taken over within the last hour, and has another password again",
			"hint", "somebody else changes its password: another xtokend with another account secret?")
		return nil, refused(reasonTakeoverLimit, err)
	}
	s.log.WarnContext(ctx, "taking an account over: its password is set anew", "user", user.String())
	if err := s.accounts.SetPassword(ctx, user, Password(s.secret, user)); err != nil {
		return nil, fmt.Errorf("server: take over the account of %s: %w", user, err)
	}
	conn, err = s.login(ctx, user)
	if errors.Is(err, errNotAuthorized) {
		return nil, refused(reasonUnusable, err)
	}
	return conn, err
}

// warn tells the administrator once an hour for each user: clients try again
// every few seconds.
func (s *Server) warn(user jid.JID, what string, args ...any) {
	if s.warnings.allow(user.String()) {
		s.log.Warn(what, append([]any{"user", user.String()}, args...)...)
	}
}

func refused(reason string, cause error) error {
	return &upstream.Refusal{Condition: sasl.NotAuthorized, Reason: reason, Err: cause}
}
