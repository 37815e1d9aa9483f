package component

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"time"

	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stream"

	"xtokend/auth"
)

// SessionInfo is what is said of one authenticated session.
type SessionInfo struct {
	User      jid.JID    // bare
	Address   netip.Addr // the client's; the zero address if unknown
	Transport string     // as the log names it, such as tcp+starttls or websocket+tls
	Mechanism string     // by which the client has logged in
	Began     time.Time  // when the connection was accepted
	// FromClient and ToClient are the bytes that have passed since the login.
	FromClient, ToClient int64
}

// Sessions are the authenticated sessions, the one that logged in first first.
func (f *Front) Sessions() []SessionInfo { return f.streams.sessions() }

// EndSessions ends the sessions of user, whose resourcepart does not matter, and
// returns how many these are: those that have logged in. A login as user that is
// under way ends too, so that a token which was verified before a revocation
// opens no session after it. It does not wait for the ends.
//
// The client gets the stream error reset, which says that it must authenticate
// anew (RFC 6120 §4.9.3.16): it has broken no rule. The upstream's stream is
// ended too, and not dropped as at a shutdown, so that nobody can resume the
// session (XEP-0198 §5).
func (f *Front) EndSessions(user jid.JID) int {
	return f.streams.endSessions(user.Bare())
}

// Revoke refuses from now on the tokens of user that were issued before now, at
// every node of the same replay store, and ends the user's sessions; the
// resourcepart does not matter. It returns how many sessions it has ended. These
// are ended too if the error says that nothing was revoked: it is a
// *[auth.Refusal], or ErrUnknownDomain, whose sessions are those that began before
// a Reload took the domain out. The context bounds the wait for the replay store.
func (f *Front) Revoke(ctx context.Context, user jid.JID) (ended int, err error) {
	domain := f.settings.Load().domains[user.Domainpart()]
	if domain == nil {
		return f.EndSessions(user), ErrUnknownDomain
	}
	name, err := auth.PrepareName(user.Localpart())
	if err != nil {
		return 0, err
	}
	err = domain.Verifier.Revoke(ctx, name)
	return f.EndSessions(user), err
}

// ErrUnknownDomain is returned by Revoke and Authenticate for a user of a domain
// that the front does not serve.
var ErrUnknownDomain = errors.New("component: the domain is none of those served here")

// errEnded is the cause for which EndSessions cancels a session's context.
var errEnded = fail(stream.Reset, "the session was ended by an administrator; please log in again")

func (r *registry) sessions() []SessionInfo {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]SessionInfo, 0, r.named.Len())
	for e := r.named.Front(); e != nil; e = e.Next() {
		s := e.Value.(*session)
		if !s.authenticated {
			continue
		}
		all = append(all, SessionInfo{
			User: s.user, Address: s.address, Transport: s.transportName, Mechanism: s.mechanism, Began: s.began,
			FromClient: s.relayed.fromClient.Load(), ToClient: s.relayed.toClient.Load(),
		})
	}
	return all
}

func (r *registry) endSessions(user jid.JID) (n int) {
	bareJID := user.String()
	r.mu.Lock()
	defer r.mu.Unlock()
	for e := r.named.Front(); e != nil; e = e.Next() {
		s := e.Value.(*session)
		if s.claimed != bareJID {
			continue
		}
		s.stop(errEnded)
		if s.authenticated {
			n++
		}
	}
	return n
}

// interruptRelays has all sessions look at their contexts.
func (r *registry) interruptRelays() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for e := r.named.Front(); e != nil; e = e.Next() {
		e.Value.(*session).interruptRelay()
	}
}

// claim says whom s claims to be from now on, "" for nobody. Only s's own
// goroutine may call it. One that has been displaced is ended already.
func (r *registry) claim(s *session, bareJID string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s.claimed = bareJID
	if bareJID != "" && s.named == nil && s.counted {
		s.named = r.named.PushBack(s)
	}
}

// endUpstream ends the user's stream at the upstream so that it cannot be
// resumed, and waits until the upstream has seen that. If the client's bytes
// stop within an element, where a stream end might be text to the upstream, a
// byte that is in no XML makes it end the stream with an error.
func (s *session) endUpstream(torn bool, fromUpstream *pump) {
	end := "</stream:stream>"
	if torn {
		end = "\x00"
	}
	if _, err := io.WriteString(s.upstream, end); err != nil {
		return
	}
	s.upstream.raw.SetReadDeadline(time.Now().Add(closeTimeout))
	fromUpstream.discard(lingerBytes)
}
