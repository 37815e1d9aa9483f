package sasl

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	msasl "mellium.im/sasl"
	"mellium.im/xmpp/jid"

	"xtokend/auth"
)

// The mechanisms, spelt as on the wire.
const (
	XToken = "X-TOKEN" // of Prosody's module mod_sasl_token
	HMAC   = "HMAC"    // the older name, in clients of 2018
	Plain  = "PLAIN"   // RFC 4616 with the token as password, for clients that know no other
)

// Outcome is what [Server] fills in when an attempt succeeds. Until then it is
// left as it was.
type Outcome struct {
	Name       auth.Name       // of the user; the bare JID is its localpart at the verifier's domain
	Acceptance auth.Acceptance // of the token
}

// asked is kept by the negotiator while our empty challenge is unanswered.
type asked struct{}

// A Verifier decides whether a token is good, and uses it up. [auth.Verifier] is one;
// the errors are those of its Verify.
type Verifier interface {
	Domain() string // of the users' addresses
	Verify(ctx context.Context, name auth.Name, token string) (auth.Acceptance, error)
}

// Server returns the server's side of a mechanism for one attempt of one
// client. When Step returns no error and more is false, out says who the client
// is; every error is a [*Failure]. mellium's Negotiator panics when it is
// stepped again after an error: make a new one, or Reset it, for a new attempt.
//
// Step(nil) means that the client sent no initial response, and asks for it by
// one empty challenge; a present and empty one is Step([]byte{}). The
// negotiator's permissions callback is not used: v decides. The context bounds
// the wait for v's replay store.
func Server(ctx context.Context, mechanism string, v Verifier, out *Outcome) msasl.Mechanism {
	return msasl.Mechanism{
		Name: mechanism,
		Start: func(*msasl.Negotiator) (bool, []byte, any, error) {
			return false, nil, nil, malformed("the mechanism was started as a client's")
		},
		Next: func(n *msasl.Negotiator, response []byte, data any) (bool, []byte, any, error) {
			first := n.State()&msasl.StepMask == msasl.AuthTextSent
			if first && response == nil {
				return true, nil, asked{}, nil
			}
			if _, waiting := data.(asked); !first && !waiting {
				return false, nil, nil, malformed("a response that nobody asked for")
			}
			outcome, failure := attempt(ctx, mechanism, v, response)
			if failure != nil {
				return false, nil, nil, failure
			}
			*out = outcome
			return false, nil, nil, nil
		},
	}
}

// attempt verifies the client's message. The token is verified last, so that it
// is not used up by a message that is refused for something else.
func attempt(ctx context.Context, mechanism string, v Verifier, message []byte) (Outcome, *Failure) {
	switch mechanism {
	case XToken, HMAC, Plain:
	default:
		return Outcome{}, Fail(InvalidMechanism, string(InvalidMechanism), fmt.Errorf("no mechanism %q", mechanism))
	}
	c, err := Parse(message)
	if err != nil {
		return Outcome{}, err.(*Failure)
	}
	name, err := auth.PrepareName(c.Authcid)
	if err != nil {
		return Outcome{}, Fail(MalformedRequest, string(auth.Malformed), err)
	}
	if err := checkAuthzid(c.Authzid, name, v.Domain()); err != nil {
		return Outcome{}, Fail(InvalidAuthzid, string(InvalidAuthzid), err)
	}
	if len(c.Token) > MaxTokenBytes {
		return Outcome{}, refused(mechanism, &auth.Refusal{Reason: auth.Malformed, Detail: "the token is far too long"})
	}
	acceptance, err := v.Verify(ctx, name, c.Token)
	if err != nil {
		return Outcome{}, refused(mechanism, err)
	}
	return Outcome{Name: name, Acceptance: acceptance}, nil
}

// checkAuthzid takes an authzid that is empty or the user's own bare JID
// (RFC 6120 §6.3.8).
func checkAuthzid(authzid string, name auth.Name, domain string) error {
	if authzid == "" {
		return nil
	}
	requested, err := jid.Parse(authzid)
	if err != nil {
		return errors.New("the authzid is not a JID") // the cause would quote it, and it may hold a token
	}
	// auth has the stricter idea of a localpart.
	requestedName, err := auth.PrepareName(requested.Localpart())
	if err != nil {
		return errors.New("the authzid's localpart cannot be a user's name")
	}
	own, err := jid.New(name.Localpart(), domain, "")
	if err != nil {
		return fmt.Errorf("the user has no JID at this domain: %w", err)
	}
	if requestedName.Localpart() != name.Localpart() || !requested.Equal(own) {
		return errors.New("the authzid is not the user's own bare JID")
	}
	return nil
}

// Client returns the client's side of a mechanism. The negotiator's Credentials
// give the authcid as Username, the token as Password and the authzid, usually
// empty, as Identity. A token is good for one attempt: fetch a fresh one there.
func Client(mechanism string) msasl.Mechanism {
	return msasl.Mechanism{
		Name: mechanism,
		Start: func(n *msasl.Negotiator) (bool, []byte, any, error) {
			authcid, token, authzid := n.Credentials()
			if len(authcid) == 0 || bytes.IndexByte(authzid, 0) >= 0 || bytes.IndexByte(authcid, 0) >= 0 {
				return false, nil, nil, errors.New("sasl: the authcid is empty, or a NUL is in authcid or authzid")
			}
			return false, bytes.Join([][]byte{authzid, authcid, token}, []byte{0}), nil, nil
		},
		Next: func(*msasl.Negotiator, []byte, any) (bool, []byte, any, error) {
			return false, nil, nil, msasl.ErrTooManySteps
		},
	}
}
