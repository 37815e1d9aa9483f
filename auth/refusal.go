package auth

// Reason says which check a token failed. Its text is stable, for logs and for the verdict of [Verifier.Explain].
type Reason string

// The reasons, in the order of the checks.
const (
	Malformed    Reason = "malformed"     // the name, or the form of the token, is not acceptable
	BadSignature Reason = "bad-signature" // not signed by a key of this verifier, or for another address
	Expired      Reason = "expired"       // signed by us, but of no step of the window
	Revoked      Reason = "revoked"       // issued before the user's last revocation
	Replayed     Reason = "replayed"      // used before
	Unavailable  Reason = "unavailable"   // the replay store could not answer: the same token may be good later
)

// A Refusal is the only error of [PrepareName] and of the methods of [Verifier]. It is for logs: what it says must not
// be shown to the peer, who learns from the difference between two reasons.
type Refusal struct {
	Reason Reason
	Detail string // what is wrong and what to do, for an administrator; never holds a byte of a token or of a key
	Err    error  // the cause, if another part failed; may be nil

	// With Reason Expired: the step of the one-time password less the step of the verifier's clock, if SkewFound says
	// that one was found within a day. A positive skew means that the issuer's clock is ahead.
	Skew      int
	SkewFound bool
}

// Error implements error.
func (r *Refusal) Error() string {
	s := string(r.Reason)
	if r.Detail != "" {
		s += ": " + r.Detail
	}
	if r.Err != nil {
		s += ": " + r.Err.Error()
	}
	return s
}

// Unwrap returns r.Err.
func (r *Refusal) Unwrap() error { return r.Err }

func malformed(detail string) *Refusal { return &Refusal{Reason: Malformed, Detail: detail} }
