package component

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"

	"mellium.im/xmpp/stream"

	"xtokend/sasl"
)

// What is logged of a session: each accepted and each refused attempt, and one
// line at its end. Never a token, an initial response, a secret or a stanza.

// who is what every line says of the client.
func (s *session) who() []slog.Attr {
	attrs := []slog.Attr{
		slog.String("address", s.address.String()),
		slog.String("transport", s.transport.name()),
	}
	if s.domain != nil {
		attrs = append(attrs, slog.String("domain", s.domain.Name))
	}
	return attrs
}

func (f *Front) logAccepted(who []slog.Attr, user, mechanism string, o sasl.Outcome) {
	attrs := append(who,
		slog.String("user", user),
		slog.String("mechanism", mechanism),
		slog.Int("skew_steps", o.Acceptance.Skew))
	if o.Acceptance.Bridge {
		attrs = append(attrs, slog.Bool("issuer_timezone", true))
	}
	f.log.LogAttrs(context.Background(), slog.LevelInfo, "authenticated", attrs...)
}

// logRefused writes why an attempt has failed. claimed is "" if it names nobody.
func (f *Front) logRefused(who []slog.Attr, domain, mechanism, claimed string, failure *sasl.Failure) {
	attrs := append(who, slog.String("reason", failure.Reason), slog.String("condition", string(failure.Condition)))
	if mechanism != "" {
		attrs = append(attrs, slog.String("mechanism", mechanism))
	}
	if claimed != "" {
		attrs = append(attrs, slog.String("user", claimed))
	}
	if failure.Err != nil {
		attrs = append(attrs, slog.Any("error", failure.Err))
	}
	level := slog.LevelInfo
	switch failure.Condition {
	case sasl.Aborted:
		level = slog.LevelDebug
	case sasl.TemporaryAuthFailure:
		level = slog.LevelWarn
		omitted, ok := f.storms.Allow(failure.Reason + " " + domain)
		if !ok {
			return
		}
		attrs = append(attrs, slog.Int("similar_lines_omitted", omitted))
	}
	f.log.LogAttrs(context.Background(), level, "authentication refused", attrs...)
}

func (s *session) logEnd(err error, se *streamError, limit string) {
	attrs := s.who()
	if s.upstream != nil {
		attrs = append(attrs, slog.String("user", s.user.String()), slog.String("mechanism", s.mechanism))
	}
	reason, cause := endReason(err, se)
	if cause != nil {
		attrs = append(attrs, slog.Any("error", cause))
	}
	if err == errDisplaced {
		limit = limitUnauthenticated
	}
	if limit = cmp.Or(limit, s.limit); limit != "" {
		attrs = append(attrs, slog.String("limit", limit))
	}
	attrs = append(attrs,
		slog.String("reason", reason),
		slog.Duration("duration", s.front.now().Sub(s.began)),
		slog.Int64("bytes_from_client", s.relayed.fromClient.Load()),
		slog.Int64("bytes_to_client", s.relayed.toClient.Load()))
	level := slog.LevelInfo
	switch {
	case s.upstream != nil, err == errPanicked:
	case se == nil && s.attempted:
	case se == nil:
		level = slog.LevelDebug // port scans, health checks
	case se.condition == stream.ResourceConstraint.Err: // a flood must not fill the disk
		level = slog.LevelDebug
		if omitted, ok := s.front.storms.Allow(se.condition); ok {
			level = slog.LevelWarn
			attrs = append(attrs, slog.Int("similar_lines_omitted", omitted))
		}
	}
	s.front.log.LogAttrs(context.Background(), level, "session closed", attrs...)
}

// endReason says in a fixed text why a session ended, and what there is to add.
func endReason(err error, se *streamError) (reason string, cause error) {
	if se != nil {
		return se.condition, se.cause
	}
	for _, known := range []error{errPanicked, errClosedByClient, errClosedByUpstream, errNoTLS, errDropped, errHandshake, errTorn, errProxyHeader, errTrustTaken, errOverLimit} {
		if err == known {
			return known.Error(), nil
		}
		if errors.Is(err, known) {
			return known.Error(), err
		}
	}
	if errors.Is(err, io.EOF) {
		return errDropped.Error(), nil
	}
	return errDropped.Error(), err
}
