package component

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	msasl "mellium.im/sasl"
	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stream"

	"xtokend/auth"
	"xtokend/internal/element"
	"xtokend/sasl"
)

// authenticate reads elements until the client has proved who it is and the
// upstream has taken it (RFC 6120 §6.4). Each failed attempt is answered; the
// error is what ends the stream.
func (s *session) authenticate(ctx context.Context) error {
	waiting := "" // the mechanism whose empty challenge is unanswered
	for {
		e, err := s.nextElement()
		if err != nil {
			return err
		}
		if err := s.renewSettings(); err != nil {
			return err
		}
		switch {
		case e.Name.Space == nsTLS && e.Name.Local == "starttls":
			waiting = ""
			if err := s.startTLS(ctx); err != nil {
				return err
			}
			continue
		case e.Name.Space == nsSASL && e.Name.Local == "auth" && s.failures >= s.settings.limits.AuthAttempts:
			s.front.reached.Add(limitAuthAttempts)
			return fail(stream.PolicyViolation, "too many failed attempts")
		case e.Name.Space == nsSASL && (e.Name.Local == "auth" || e.Name.Local == "response" || e.Name.Local == "abort"):
		default:
			return fail(stream.NotAuthorized, "")
		}
		mechanism, payload, failure := s.saslRequest(e, waiting)
		waiting = ""
		s.front.streams.claim(s, "")
		if failure == nil && payload == nil {
			waiting = mechanism
			if _, err := s.transport.Write([]byte("<challenge xmlns='" + nsSASL + "'/>")); err != nil {
				return err
			}
			continue
		}
		if failure == nil {
			failure = s.attempt(ctx, mechanism, payload)
		}
		if failure == nil {
			_, err := s.transport.Write([]byte("<success xmlns='" + nsSASL + "'/>"))
			return err
		}
		if err := s.refuse(mechanism, failure); err != nil {
			return err
		}
	}
}

// saslRequest takes mechanism and payload out of a SASL element. A payload of
// nil is an absent initial response, to be asked for by an empty challenge.
func (s *session) saslRequest(e element.Element, waiting string) (mechanism string, payload []byte, failure *sasl.Failure) {
	mechanism = waiting
	switch e.Name.Local {
	case "abort":
		return mechanism, nil, sasl.Fail(sasl.Aborted, "aborted", nil)
	case "auth":
		if !s.mayAuthenticate() {
			return "", nil, sasl.Fail(sasl.EncryptionRequired, "encryption-required", nil)
		}
		mechanism = e.AttrValue("mechanism")
		if !slices.Contains(s.domain.Mechanisms, mechanism) {
			return "", nil, sasl.Fail(sasl.InvalidMechanism, "invalid-mechanism", nil)
		}
	case "response":
		if waiting == "" {
			return "", nil, malformed("a response that nobody asked for")
		}
	}
	if len(e.Children) > 0 {
		return mechanism, nil, malformed("elements inside a SASL element")
	}
	if e.Text == "" && e.Name.Local == "auth" {
		return mechanism, nil, nil
	}
	payload, err := sasl.DecodeBase64(e.Text)
	if err != nil {
		return mechanism, nil, sasl.Fail(sasl.IncorrectEncoding, "incorrect-encoding", nil)
	}
	return mechanism, payload, nil
}

func malformed(detail string) *sasl.Failure {
	return sasl.Fail(sasl.MalformedRequest, string(auth.Malformed), errors.New(detail))
}

// attempt verifies the client's message and opens the user's stream at the
// upstream. A good token stays spent if the latter fails.
func (s *session) attempt(ctx context.Context, mechanism string, payload []byte) *sasl.Failure {
	if wait := s.front.attempts.Load().wait(s.address); wait > 0 {
		s.front.reached.Add(limitFailedPerAddress)
		return rateLimited(wait)
	}
	s.front.streams.claim(s, claimedUser(payload, s.domain.Name))
	if wait := s.front.attempts.Load().waitUser(s.claimed); wait > 0 {
		s.front.reached.Add(limitFailedPerUser)
		return rateLimited(wait)
	}
	verifier := earlyVerifier{Verifier: s.domain.Verifier}
	outcome, failure := verify(ctx, &verifier, mechanism, payload)
	if failure != nil {
		return failure
	}
	var err error
	s.user, err = jid.New(outcome.Name.Localpart(), s.domain.Name, "")
	if err != nil {
		return asFailure(err)
	}
	s.mechanism = mechanism
	// Whoever has shown a good token does not make room for others.
	s.front.streams.keep(s)
	failure = s.openUpstream(ctx)
	if unrecorded := verifier.wait(ctx); unrecorded != nil && failure == nil {
		s.upstream.Close()
		s.upstream, failure = nil, unrecorded
	}
	if failure != nil {
		s.front.streams.wait(s)
		return failure
	}
	s.front.logAccepted(s.who(), s.user.String(), s.mechanism, outcome)
	s.observe(mechanism, ReasonOK, outcome.Acceptance)
	return nil
}

// earlyVerifier lets the upstream be opened while the use of a token is on its way to
// disk. Nobody is told of success before wait has returned nil.
type earlyVerifier struct {
	*auth.Verifier
	receipt auth.Receipt
}

// Verify implements [sasl.Verifier].
func (v *earlyVerifier) Verify(ctx context.Context, name auth.Name, token string) (accepted auth.Acceptance, err error) {
	accepted, v.receipt, err = v.VerifyEarly(ctx, name, token)
	return accepted, err
}

func (v *earlyVerifier) wait(ctx context.Context) *sasl.Failure {
	if v.receipt == (auth.Receipt{}) {
		return nil
	}
	ctx, done := context.WithTimeout(ctx, verifyTimeout)
	defer done()
	if err := v.receipt.Wait(ctx); err != nil {
		return asFailure(err)
	}
	return nil
}

// verify asks whether the token of a client's message is good, and spends it.
func verify(ctx context.Context, v sasl.Verifier, mechanism string, payload []byte) (outcome sasl.Outcome, failure *sasl.Failure) {
	ctx, done := context.WithTimeout(ctx, verifyTimeout)
	defer done()
	more, _, err := msasl.NewServer(sasl.Server(ctx, mechanism, v, &outcome), nil).Step(payload)
	switch {
	case more:
		return sasl.Outcome{}, malformed("a message of several parts")
	case err != nil:
		return sasl.Outcome{}, asFailure(err)
	}
	return outcome, nil
}

// claimedUser is the bare JID of whoever the client says it is; "" if it names
// nobody.
func claimedUser(payload []byte, domain string) string {
	c, err := sasl.Parse(payload)
	if err != nil {
		return ""
	}
	name, err := auth.PrepareName(c.Authcid)
	if err != nil {
		return ""
	}
	return name.Localpart() + "@" + domain
}

func asFailure(err error) *sasl.Failure {
	var failure *sasl.Failure
	if errors.As(err, &failure) {
		return failure
	}
	return sasl.Fail(sasl.TemporaryAuthFailure, string(auth.Unavailable), err)
}

func rateLimited(wait time.Duration) *sasl.Failure {
	seconds := int((wait.Round(time.Millisecond) + time.Second - 1) / time.Second)
	f := sasl.Fail(sasl.TemporaryAuthFailure, "rate-limited", nil)
	f.Text = fmt.Sprintf("too many failed attempts; try again in %d s", seconds)
	return f
}

// refuse answers a failed attempt (RFC 6120 §6.4.5) and writes the reason to the
// log.
func (s *session) refuse(mechanism string, failure *sasl.Failure) error {
	if failure.Counted {
		s.failures++
		s.front.attempts.Load().failed(s.address, s.claimed)
	}
	s.attempted = true
	s.front.logRefused(s.who(), s.domain.Name, mechanism, s.claimed, failure)
	s.observe(mechanism, failure.Reason, auth.Acceptance{})
	b := []byte("<failure xmlns='" + nsSASL + "'><" + string(failure.Condition) + "/>")
	if failure.Text != "" {
		b = append(b, "<text xml:lang='en'>"+element.Escape(failure.Text)+"</text>"...)
	}
	_, err := s.transport.Write(append(b, "</failure>"...))
	return err
}
