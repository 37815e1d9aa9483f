package component

import (
	"errors"
	"os"

	"mellium.im/xmpp/stream"

	"xtokend/internal/xmlsplit"
)

// Limits that can be met, by the names of their settings.
const (
	limitAuthAttempts         = "auth_attempts"
	limitFailedPerAddress     = "failed_per_minute_per_address"
	limitFailedPerUser        = "failed_per_minute_per_user"
	limitStreams              = "streams"
	limitStreamsPerAddress    = "streams_per_address"
	limitUnauthenticated      = "unauthenticated"
	limitElementBytes         = "element_bytes"
	limitUpstreamElementBytes = "upstream_element_bytes"
	limitElementDepth         = "element_depth"
	limitNegotiationTimeout   = "negotiation_timeout"
	limitWriteTimeout         = "write_timeout"
)

// LimitsReached says how many times each of the limits has turned somebody away
// since the start, by the name of its setting. A limit that never did may be
// missing.
func (f *Front) LimitsReached() map[string]int64 { return f.reached.Counts() }

// metLimit is the limit that a session met at its end, "" if it was none.
func (s *session) metLimit(err error, se *streamError) string {
	fromUpstream := se != nil && se.condition == stream.RemoteConnectionFailed.Err
	switch {
	case errors.Is(err, xmlsplit.ErrTooLong) && fromUpstream:
		return limitUpstreamElementBytes
	case errors.Is(err, xmlsplit.ErrTooLong):
		return limitElementBytes
	case errors.Is(err, xmlsplit.ErrTooDeep) && !fromUpstream:
		return limitElementDepth
	case errors.Is(err, errSinkLost) && errors.Is(err, os.ErrDeadlineExceeded):
		return limitWriteTimeout
	case se != nil && se.condition == stream.ConnectionTimeout.Err:
		return limitNegotiationTimeout
	}
	return ""
}
