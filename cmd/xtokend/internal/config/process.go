package config

import (
	"log/slog"
	"time"
)

const (
	// minElementBytes is the smallest limit on a stanza that a server may set
	// (RFC 6120 §13.12).
	minElementBytes = 10000
	maxElementBytes = 64 << 20
	maxCount        = 1 << 30
	minTimeout      = time.Second
	maxTimeout      = 10 * time.Minute
)

// limits reads [limits]. Lower bounds keep a client able to log in at all, upper
// ones catch a slip of the pen.
func (l *loader) limits(raw rawLimits) Limits {
	number := func(name string, v value[int64], def, lowest, highest int64) int {
		return between(l, "limits."+name, v, def, lowest, highest)
	}
	return Limits{
		AuthAttempts:              number("auth_attempts", raw.AuthAttempts, 3, 1, 100),
		FailedPerMinutePerAddress: number("failed_per_minute_per_address", raw.FailedPerMinutePerAddress, 120, 0, maxCount),
		FailedPerMinutePerUser:    number("failed_per_minute_per_user", raw.FailedPerMinutePerUser, 0, 0, maxCount),
		IPv6Prefix:                number("ipv6_prefix", raw.IPv6Prefix, 64, 1, 128),
		Streams:                   number("streams", raw.Streams, 20000, 1, maxCount),
		StreamsPerAddress:         number("streams_per_address", raw.StreamsPerAddress, 0, 0, maxCount),
		Unauthenticated:           number("unauthenticated", raw.Unauthenticated, 6000, 1, maxCount),
		ElementBytes:              number("element_bytes", raw.ElementBytes, 262144, minElementBytes, maxElementBytes),
		ElementDepth:              number("element_depth", raw.ElementDepth, 64, 16, 10000),
		UpstreamElementBytes:      number("upstream_element_bytes", raw.UpstreamElementBytes, 1<<20, minElementBytes, maxElementBytes),
		BOSHSessions:              number("bosh_sessions", raw.BOSHSessions, 5000, 1, maxCount),
		BOSHBufferBytes:           number("bosh_buffer_bytes", raw.BOSHBufferBytes, 1<<20, minElementBytes, maxElementBytes),
		NegotiationTimeout:        l.timeout("limits.negotiation_timeout", raw.NegotiationTimeout, 30*time.Second),
		WriteTimeout:              l.timeout("limits.write_timeout", raw.WriteTimeout, 30*time.Second),
	}
}

// timeout reads a duration. TOML has no type for it, and a bare number no unit.
func (l *loader) timeout(key string, v value[string], def time.Duration) time.Duration {
	text := get(l, key, v, def.String())
	d, err := time.ParseDuration(text)
	if err != nil {
		l.fault(key, `write "30s" or "2m", say`, "%q is not a length of time", text)
		return def
	}
	if d < minTimeout || d > maxTimeout {
		l.fault(key, "", "%s is out of bounds: from %s to %s", d, minTimeout, maxTimeout)
		return def
	}
	return d
}

// log reads [log].
func (l *loader) log(raw rawLog) Log {
	levels := map[string]slog.Level{
		"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
	}
	level := oneOf(l, "log.level", raw.Level, "info", "debug", "info", "warn", "error")
	return Log{
		Level:  levels[level],
		Format: oneOf(l, "log.format", raw.Format, LogText, LogText, LogJSON),
	}
}
