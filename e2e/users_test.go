package e2e

import (
	"errors"
	"testing"

	"xtokend/internal/stockserver/stockservertest"
)

// chatClient returns a client, not yet connected, that fetches a fresh token of
// user at each connection.
func (s *site) chatClient(driver, user string) *chatClient {
	s.t.Helper()
	c := newChatClient(s.ctx, s.t, driver, s.AuthorityFile(), func() string { return s.issuer.token(user) })
	c.user, c.private = user, s.private
	return c
}

// connection is what the command connect needs to log user in.
func (s *site) connection(user string, to service) map[string]any {
	return map[string]any{
		"service":   to.url(),
		"domain":    domain,
		"username":  user,
		"mechanism": "X-TOKEN",
	}
}

// online logs user in by @xmpp/client through STARTTLS.
func (s *site) online(user string) *chatClient {
	s.t.Helper()
	return s.onlineAt(user, s.service("xmpp"))
}

func (s *site) onlineAt(user string, to service) *chatClient {
	s.t.Helper()
	return s.onlineBy(xmppClient, user, to)
}

// onlineBy returns once the session can be resumed, where its transport has a
// need of that, and the server knows that it is available and that it wants to
// hear of roster changes (RFC 6121 §2.2).
func (s *site) onlineBy(driver, user string, to service) *chatClient {
	s.t.Helper()
	c := s.chatClient(driver, user)
	var online struct{ JID string }
	c.do("connect", s.connection(user, to), &online)
	c.jid = online.JID
	if !to.bosh() {
		c.await("enabled", nil)
	}
	c.do("rosterGet", nil, nil)
	c.do("presence", nil, nil)
	c.awaitStanza("presence", func(p stanza) bool { return p.From == c.jid })
	return c
}

// open connects on the raw protocol and returns the stream after TLS, its
// features read.
func (s *site) open(to service) (*stream, error) {
	stream, err := dialStream(s.ctx, to, s.tls)
	if err != nil {
		return nil, err
	}
	stream.private = s.private
	if _, err = stream.open(); err == nil && to.scheme == "xmpp" {
		if err = stream.startTLS(s.ctx, s.tls); err == nil {
			_, err = stream.open()
		}
	}
	if err != nil {
		stream.close()
		return nil, err
	}
	return stream, nil
}

// logIn returns nil if the token admits user to a bound session, which is
// dropped at once.
func (s *site) logIn(user, token string) error {
	return s.logInAt(s.service("xmpp"), user, token)
}

func (s *site) logInAt(to service, user, token string) error {
	stream, err := s.open(to)
	if err != nil {
		return err
	}
	defer stream.close()
	if err := stream.authenticate("X-TOKEN", user, token); err != nil {
		return err
	}
	_, err = stream.bind()
	return err
}

func (s *site) mustLogIn(user, token string) {
	s.t.Helper()
	if err := s.logIn(user, token); err != nil {
		s.t.Fatalf("%s cannot log in: %v", user, err)
	}
}

func (s *site) mustRefuse(user, token, condition string) {
	s.t.Helper()
	var failure saslFailure
	if err := s.logIn(user, token); !errors.As(err, &failure) || string(failure) != condition {
		s.t.Fatalf("%s logs in: %v, not %s", user, err, condition)
	}
}

// mustBind returns a bound session of user on the raw protocol.
func (s *site) mustBind(user string, to service) *stream {
	s.t.Helper()
	stream, err := s.open(to)
	if err == nil {
		closeAtEnd(s.t, stream)
		if err = stream.authenticate("X-TOKEN", user, s.issuer.token(user)); err == nil {
			_, err = stream.bind()
		}
	}
	if err != nil {
		s.t.Fatalf("%s cannot log in: %v", user, err)
	}
	return stream
}

// mustOpen returns a stream that could be authenticated.
func (s *site) mustOpen(to service) *stream {
	s.t.Helper()
	stream, err := s.open(to)
	if err != nil {
		s.t.Fatal(err)
	}
	closeAtEnd(s.t, stream)
	return stream
}

func closeAtEnd(t testing.TB, s *stream) { t.Cleanup(s.close) }

func (s *site) hasAccount(user string) bool {
	s.t.Helper()
	return stockservertest.HasAccount(s.t, s.Server, user)
}
