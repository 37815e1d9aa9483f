package sasl

import (
	"errors"

	"xtokend/auth"
)

// Failure is a refused attempt to authenticate: what the peer may see of it and
// what the log should. It is the only error of [Parse] and of the mechanisms of
// [Server]. The zero value is no valid answer, as it has no condition.
type Failure struct {
	Condition Condition // for the peer
	Text      string    // for the person at the peer, in English; says no more than the condition
	Reason    string    // for the log and for metrics: an auth.Reason, or the condition if auth was not asked
	Counted   bool      // whether the attempt counts as a failed one; false if the fault is ours
	Err       error     // the cause, for the log only; holds no byte of a token; may be nil
}

// Error implements error. It is for logs; a peer gets Condition and Text.
func (f *Failure) Error() string {
	s := "sasl: " + string(f.Condition)
	if f.Err != nil {
		return s + ": " + f.Err.Error()
	}
	if f.Reason != "" && f.Reason != string(f.Condition) {
		s += ": " + f.Reason
	}
	return s
}

// Unwrap returns f.Err.
func (f *Failure) Unwrap() error { return f.Err }

// texts holds one text for each condition, so that a text cannot tell apart two
// causes of one condition.
var texts = map[Condition]string{
	Aborted:              "given up, as asked",
	AccountDisabled:      "the account is disabled",
	CredentialsExpired:   "the token has expired; fetch a new one and try again",
	EncryptionRequired:   "encrypt the connection first",
	IncorrectEncoding:    "the data is not base64",
	InvalidAuthzid:       "nobody may act for another user; leave the authorization identity empty",
	InvalidMechanism:     "the mechanism is not offered; choose another one",
	MalformedRequest:     "the request must hold a user name and a token, both well-formed",
	MechanismTooWeak:     "the server wants a stronger mechanism",
	NotAuthorized:        "the one-time token that stands for the password was refused; fetch a new one and try again",
	TemporaryAuthFailure: "authentication is not possible now; wait a little, then fetch a new token and try again",
}

// Fail returns a failure with the condition's own text. It counts as a failed
// attempt unless the peer can do nothing for it, or chose it itself.
func Fail(c Condition, reason string, cause error) *Failure {
	return &Failure{
		Condition: c,
		Text:      texts[c],
		Reason:    reason,
		Counted:   c != Aborted && c != EncryptionRequired && c != TemporaryAuthFailure,
		Err:       cause,
	}
}

func malformed(detail string) *Failure {
	return Fail(MalformedRequest, string(auth.Malformed), errors.New(detail))
}

// refused turns what Verify says of a token into a failure. The name was
// prepared before, so that here malformed means the form of the token: for
// PLAIN that is a wrong password, not a fault of the client's software.
func refused(mechanism string, err error) *Failure {
	var refusal *auth.Refusal
	if !errors.As(err, &refusal) {
		return Fail(TemporaryAuthFailure, string(auth.Unavailable), err)
	}
	condition := TemporaryAuthFailure
	switch refusal.Reason {
	case auth.Malformed:
		condition = MalformedRequest
		if mechanism == Plain {
			condition = NotAuthorized
		}
	case auth.BadSignature, auth.Replayed:
		condition = NotAuthorized
	case auth.Expired, auth.Revoked:
		condition = CredentialsExpired
	}
	return Fail(condition, string(refusal.Reason), err)
}
