package auth

import (
	"cmp"
	"context"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"xtokend/auth/replay"
)

const (
	// DefaultSkew suits issuers whose clock is kept by NTP. [Config] has no default: its zero skew is a window of one step.
	DefaultSkew = 1
	// MaxSkew bounds [Config].Skew: an unused token lives for skew + 1 steps of 30 seconds.
	MaxSkew = 10

	maxDomainBytes = 1023 // RFC 7622 §3.2
)

// Config is what a [Verifier] is made of.
type Config struct {
	Domain string // domainpart of the users' addresses, exactly as the issuer signs it; required
	Keys   []Key  // any of them may have signed; at least one
	Skew   int    // steps accepted either side of the current one, 0 to MaxSkew

	// FoldCase accepts a signature over the name as it was sent, if that differs from the prepared form in ASCII letter
	// case alone. It is safe only where the site forbids user ids that differ in case alone.
	FoldCase bool

	// IssuerTimezone also accepts the tokens of an issuer on a host in this zone that takes a naive UTC time for a local
	// one. It lets an unused token live a second time, hours later: a bridge until the issuer is mended. nil: none.
	IssuerTimezone *time.Location

	Store replay.Store     // remembers used tokens; required, may be shared by verifiers, and stays the caller's to close
	Now   func() time.Time // nil: time.Now
}

// A Verifier decides whether a token is good, and whose it is. It may be used concurrently.
type Verifier struct {
	domain   string
	keys     []Key
	skew     int
	foldCase bool
	zone     *time.Location
	behind   int64 // steps that the zone's readings can ever be behind the clock
	store    replay.Store
	now      func() time.Time
	window   atomic.Pointer[window]
}

// An Acceptance says by what a token was accepted.
type Acceptance struct {
	Step   int64 // of the token, from the Unix epoch
	Skew   int   // steps that the issuer's clock is ahead (+) or behind (-)
	Key    int   // index into Config.Keys
	Bridge bool  // only Config.IssuerTimezone admitted it
}

// NewVerifier checks the settings, all of them, and returns an error that says what is wrong with each.
func NewVerifier(c Config) (*Verifier, error) {
	var faults []error
	if err := checkDomain(c.Domain); err != nil {
		faults = append(faults, err)
	}
	if len(c.Keys) == 0 {
		faults = append(faults, errors.New("auth: no key: give at least one, as the issuer has it"))
	}
	if len(c.Keys) > maxKeys {
		faults = append(faults, fmt.Errorf("auth: %d keys; %d are allowed: take out those that the issuer no longer uses", len(c.Keys), maxKeys))
	}
	for i, k := range c.Keys {
		if k.hidden == nil {
			faults = append(faults, fmt.Errorf("auth: key %d is empty: make it with NewKey", i+1))
		}
	}
	if c.Skew < 0 || c.Skew > MaxSkew {
		faults = append(faults, fmt.Errorf("auth: skew %d is not in 0 to %d: a wider window lets a stolen token live too long; set the issuer's clock by NTP", c.Skew, MaxSkew))
	}
	if c.Store == nil {
		faults = append(faults, errors.New("auth: no replay store: use replay.NewMemory or replay.OpenFile"))
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	v := &Verifier{
		domain:   c.Domain,
		keys:     append([]Key(nil), c.Keys...),
		skew:     c.Skew,
		foldCase: c.FoldCase,
		zone:     c.IssuerTimezone,
		store:    c.Store,
		now:      c.Now,
	}
	if v.now == nil {
		v.now = time.Now
	}
	if v.zone != nil {
		// An issuer in a zone ahead of UTC takes its naive time for an earlier instant.
		v.behind = (furthestAhead(v.zone) + replay.StepSeconds - 1) / replay.StepSeconds
	}
	return v, nil
}

func checkDomain(domain string) error {
	switch {
	case domain == "":
		return errors.New("auth: no domain: give the one that the issuer signs, such as example.org")
	case len(domain) > maxDomainBytes:
		return fmt.Errorf("auth: the domain has %d octets; %d are allowed", len(domain), maxDomainBytes)
	case !utf8.ValidString(domain), strings.ContainsAny(domain, "@/"),
		strings.ContainsFunc(domain, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }):
		return fmt.Errorf("auth: %q is not a domain: give it without user, resource and spaces, such as example.org", domain)
	}
	return nil
}

// Domain returns the domainpart of the users' addresses.
func (v *Verifier) Domain() string { return v.domain }

// Verify checks a token for a login as name, and uses it up. The error is always a *[Refusal]. Nothing is remembered of
// a token that is refused before the store is asked. The context bounds the wait for the store.
func (v *Verifier) Verify(ctx context.Context, name Name, token string) (Acceptance, error) {
	accepted, receipt, err := v.VerifyEarly(ctx, name, token)
	if err == nil {
		err = receipt.Wait(ctx)
	}
	if err != nil {
		return Acceptance{}, err
	}
	return accepted, nil
}

// A Receipt is for a token that is good and whose use may still be on its way to disk. Its zero value is for one whose
// use is there.
type Receipt struct{ recorded replay.Receipt }

// Wait returns nil when the use is as durable as the store promises, and else a *[Refusal]. The context bounds the wait.
func (r Receipt) Wait(ctx context.Context) error {
	if r.recorded == nil {
		return nil
	}
	if err := r.recorded.Wait(ctx); err != nil {
		return refuseUse(err, 0)
	}
	return nil
}

// VerifyEarly is Verify but for that it does not wait for the disk. The token is used up for all others; its own user
// must not be told of success, and get nothing, before the receipt's Wait has returned nil.
func (v *Verifier) VerifyEarly(ctx context.Context, name Name, token string) (Acceptance, Receipt, error) {
	if name.localpart == "" {
		return Acceptance{}, Receipt{}, malformed("the name is empty")
	}
	var p parsed
	if !p.parse(token) {
		return Acceptance{}, Receipt{}, malformed(describeForm(token))
	}
	now := v.now()
	signed := v.signedBy(&p, name, token, now)
	if signed == 0 {
		return Acceptance{}, Receipt{}, v.badSignature(now, name, &p, token)
	}
	w := v.windowAt(now)
	accepted, ok := w.accept(&p, signed)
	if !ok {
		return Acceptance{}, Receipt{}, v.expired(&p, signed, w.bounds.Current)
	}
	recorded, err := replay.UseEarly(ctx, v.store, replay.Use{
		Domain:  v.domain,
		Address: name.localpart,
		ID:      p.id(name),
		Step:    accepted.Step,
		Window:  w.bounds,
	})
	if err != nil {
		return Acceptance{}, Receipt{}, refuseUse(err, int(accepted.Step-w.bounds.Current))
	}
	return accepted, Receipt{recorded}, nil
}

// keySet has a bit for each key.
type keySet uint64

const maxKeys = 64

// signedBy returns the keys that have signed the token. All of them are tried, in constant time each, so that the time
// taken tells nothing of a signature.
func (v *Verifier) signedBy(p *parsed, name Name, token string, now time.Time) keySet {
	var signed keySet
	digits := token[:signedDigits]
	for i := range v.keys {
		k := v.keys[i].key
		if !k.liveAt(now) {
			continue
		}
		s := k.signers.Get().(*signer)
		equal := subtle.ConstantTimeCompare(s.sign(digits, name.localpart, v.domain)[:], p.signature[:])
		if v.foldCase && name.sent != "" {
			equal |= subtle.ConstantTimeCompare(s.sign(digits, name.sent, v.domain)[:], p.signature[:])
		}
		k.signers.Put(s)
		signed |= keySet(equal) << i
	}
	return signed
}

// accept looks for the one-time password under the keys that have signed, and takes the highest step.
func (w *window) accept(p *parsed, signed keySet) (accepted Acceptance, ok bool) {
	for i := range w.keys {
		if signed&(1<<i) == 0 {
			continue
		}
		if c, found := find(w.keys[i], p.otp); found && (!ok || c.step > accepted.Step) {
			accepted, ok = Acceptance{Step: c.step, Skew: c.skew, Key: i, Bridge: c.bridge}, true
		}
	}
	return accepted, ok
}

// id identifies one-time password, nonce and user. The digits are there as they are, the name as a short hash: two names
// of one hash could do no more than refuse each other's tokens of the same nonce, which no issuer makes twice.
func (p *parsed) id(name Name) (id [32]byte) {
	n := copy(id[:], p.digits[:])
	binary.BigEndian.PutUint64(id[n:], fnv1a(name.localpart))
	binary.BigEndian.PutUint32(id[n+8:], uint32(len(name.localpart)))
	return id
}

// fnv1a is hash/fnv's New64a without its allocation.
func fnv1a(s string) uint64 {
	sum := uint64(14695981039346656037)
	for i := range len(s) {
		sum = (sum ^ uint64(s[i])) * 1099511628211
	}
	return sum
}

// badSignature looks for what was signed instead. That takes the same time whatever it was: some dozens of HMACs for each
// key, about 30 µs.
func (v *Verifier) badSignature(now time.Time, name Name, p *parsed, token string) *Refusal {
	r := &Refusal{Reason: BadSignature, Detail: "every key is past its end (not_after): give the issuer and this verifier a new one"}
	for _, k := range v.keys {
		if k.liveAt(now) {
			r.Detail = strings.Join(v.explainSignature(now, cmp.Or(name.sent, name.localpart), name, p, token), "; ")
			break
		}
	}
	return r
}

func (v *Verifier) expired(p *parsed, signed keySet, current int64) *Refusal {
	r := &Refusal{Reason: Expired, Detail: "its one-time password is of no step within a day: the issuer's OTP seed is another one (compare otp_seed at both ends), or its clock is more than a day off (set it by NTP)"}
	for i, k := range v.keys {
		if signed&(1<<i) == 0 {
			continue
		}
		step, ok := k.search(p.otp, current)
		if skew := step - current; ok && (!r.SkewFound || abs(skew) < abs(int64(r.Skew))) {
			r.Skew, r.SkewFound = int(skew), true
		}
	}
	if r.SkewFound {
		r.Detail = fmt.Sprintf("its step is %+d from the clock's (%s): the token is old, or the issuer's clock is wrong: set both clocks by NTP", r.Skew, describeSkew(r.Skew))
		if zone, ok := likeZone(r.Skew, v.skew); ok {
			r.Detail += "; or the issuer's host is in a time zone " + zone + ", and it takes UTC for local time: " + mendNaive + ", or set issuer_timezone until then"
		}
	}
	return r
}

// refuseUse gives the store's answer its reason; skew is the token's step less the clock's.
func refuseUse(err error, skew int) *Refusal {
	r := &Refusal{Reason: Unavailable, Err: err}
	until := ""
	var period *replay.PeriodError
	if errors.As(err, &period) {
		until = "tokens of steps before " + period.Until.Format(time.RFC3339) + " are refused"
		r.Err = period.Err // Detail says the rest of it
	}
	switch {
	case errors.Is(err, replay.ErrReplayed):
		r.Reason, r.Detail = Replayed, adviseReplayed
	case errors.Is(err, replay.ErrRevoked):
		r.Reason, r.Detail = Revoked, "it was issued before the user's last revocation: one that is issued a minute later is good"
	case errors.Is(err, replay.ErrReleased):
		r.Reason, r.Skew, r.SkewFound = Expired, skew, true
		r.Detail = fmt.Sprintf("its step is %+d from the clock's (%s), which is in the window only because the clock was set back or the window widened: %s",
			skew, describeSkew(skew), until)
		if until == "" {
			r.Detail = strings.TrimSuffix(r.Detail, ": ")
		}
	case errors.Is(err, replay.ErrLost):
		r.Detail = until
	}
	return r
}

// Revoke refuses every token of the user that is acceptable now or was issued before now. The user gets in again with a
// token of a later step than any of these: skew + 1 steps later, which is about a minute. With an IssuerTimezone it takes as
// much longer as the zone is off, because the tokens of a naive issuer and of a mended one look alike: in a zone ahead of
// UTC for a naive issuer, in one behind UTC for a mended one. The error is a *[Refusal] with reason [Unavailable] if the store cannot record it.
func (v *Verifier) Revoke(ctx context.Context, name Name) error {
	if name.localpart == "" {
		return malformed("the name is empty")
	}
	w := v.windowAt(v.now())
	err := v.store.Revoke(ctx, replay.Revocation{
		Domain:  v.domain,
		Address: name.localpart,
		Through: v.revokedThrough(w.bounds.Current),
		Window:  w.bounds,
	})
	if err != nil {
		return &Refusal{Reason: Unavailable, Detail: "the revocation was not recorded", Err: err}
	}
	return nil
}
