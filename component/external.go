package component

import (
	"context"
	"log/slog"
	"strings"

	"xtokend/sasl"
)

// External is an attempt to log in at a server that has its clients itself and
// asks whether the password that one of them has sent is a good token.
type External struct {
	Domain  string // as the server names it
	Authcid string
	Token   string // or whatever was given as the password
	// Adapter is how the server asks. It stands for the transport in the log and in
	// statistics, so that it must be one of few words, and no peer's.
	Adapter string
}

// Authenticate verifies the token of a client of another server. It is spent then,
// for this front's own clients too. The error is a *[sasl.Failure], or
// [ErrUnknownDomain].
//
// The attempt is logged and observed like one of a client, as of the mechanism
// PLAIN, and counts against its user. The client's address is not known, so that it
// counts against none, and there is no stream whose attempts could be counted.
// A front that is draining verifies all the same: nobody becomes its client.
func (f *Front) Authenticate(ctx context.Context, e External) error {
	domain := f.settings.Load().domains[preparedDomain(e.Domain)]
	if domain == nil {
		f.unknownDomain(e.Adapter)
		return ErrUnknownDomain
	}
	who := []slog.Attr{slog.String("transport", e.Adapter), slog.String("domain", domain.Name)}
	observed := Attempt{Domain: domain.Name, Mechanism: sasl.Plain, Transport: e.Adapter, Reason: ReasonOK}
	var claimed string
	var outcome sasl.Outcome
	failure := malformed("a NUL in the authcid") // behind which its rest would be taken for the token
	if strings.IndexByte(e.Authcid, 0) < 0 {
		payload := []byte("\x00" + e.Authcid + "\x00" + e.Token)
		claimed = claimedUser(payload, domain.Name)
		outcome, failure = f.external(ctx, domain, claimed, payload)
	}
	if failure != nil {
		if failure.Counted {
			f.attempts.Load().failedUser(claimed)
		}
		f.logRefused(who, domain.Name, sasl.Plain, claimed, failure)
		observed.Reason = failure.Reason
		f.observe(observed)
		return failure
	}
	f.logAccepted(who, claimed, sasl.Plain, outcome)
	observed.Acceptance = outcome.Acceptance
	f.observe(observed)
	return nil
}

func (f *Front) external(ctx context.Context, domain *Domain, claimed string, payload []byte) (sasl.Outcome, *sasl.Failure) {
	if wait := f.attempts.Load().waitUser(claimed); wait > 0 {
		f.reached.Add(limitFailedPerUser)
		return sasl.Outcome{}, rateLimited(wait)
	}
	return verify(ctx, domain.Verifier, sasl.Plain, payload)
}

// unknownDomain says that a server has other domains than the settings. None is
// named: what a peer has sent could be anything.
func (f *Front) unknownDomain(adapter string) {
	omitted, ok := f.storms.Allow("unknown-domain " + adapter)
	if !ok {
		return
	}
	f.log.LogAttrs(context.Background(), slog.LevelWarn, "a server asks about a domain that is not served here",
		slog.String("transport", adapter),
		slog.String("hint", "add a [[domain]] for it, or let the server ask for the domains of the settings alone"),
		slog.Int("similar_lines_omitted", omitted))
}
