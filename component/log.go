package component

import (
	"context"
	"errors"
	"io"
	"log/slog"

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

func (s *session) logAccepted(o sasl.Outcome) {
	attrs := append(s.who(),
		slog.String("user", s.user.String()),
		slog.String("mechanism", s.mechanism),
		slog.Int("skew_steps", o.Acceptance.Skew))
	if o.Acceptance.Bridge {
		attrs = append(attrs, slog.Bool("issuer_timezone", true))
	}
	s.front.log.LogAttrs(context.Background(), slog.LevelInfo, "authenticated", attrs...)
}

func (s *session) logRefused(mechanism string, f *sasl.Failure) {
	attrs := append(s.who(), slog.String("reason", f.Reason), slog.String("condition", string(f.Condition)))
	if mechanism != "" {
		attrs = append(attrs, slog.String("mechanism", mechanism))
	}
	if s.claimed != "" {
		attrs = append(attrs, slog.String("user", s.claimed))
	}
	if f.Err != nil {
		attrs = append(attrs, slog.Any("error", f.Err))
	}
	log, level := s.front.log, slog.LevelInfo
	switch f.Condition {
	case sasl.Aborted:
		level = slog.LevelDebug
	case sasl.TemporaryAuthFailure:
		log, level = s.front.warn, slog.LevelWarn
	}
	log.LogAttrs(context.Background(), level, "authentication refused", attrs...)
}

func (s *session) logEnd(err error, se *streamError) {
	attrs := s.who()
	if s.upstream != nil {
		attrs = append(attrs, slog.String("user", s.user.String()), slog.String("mechanism", s.mechanism))
	}
	reason := "closed"
	switch {
	case se != nil:
		reason = se.condition
		if se.cause != nil {
			attrs = append(attrs, slog.Any("error", se.cause))
		}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		reason = errDropped.Error()
	case err != nil:
		reason = err.Error()
	}
	attrs = append(attrs,
		slog.String("reason", reason),
		slog.Duration("duration", s.front.now().Sub(s.began)),
		slog.Int64("bytes_from_client", s.relayed.fromClient),
		slog.Int64("bytes_to_client", s.relayed.toClient))
	level := slog.LevelInfo
	if s.upstream == nil && se == nil {
		level = slog.LevelDebug // port scans, health checks
	}
	s.front.log.LogAttrs(context.Background(), level, "session closed", attrs...)
}
