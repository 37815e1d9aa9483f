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

// countLimit counts the limit that a session met at its end, if it was one. The
// registry counts its own.
func (s *session) countLimit(err error, se *streamError) {
	fromUpstream := se != nil && se.condition == stream.RemoteConnectionFailed.Err
	switch {
	case errors.Is(err, xmlsplit.ErrTooLong) && fromUpstream:
		s.front.reached.Add(limitUpstreamElementBytes)
	case errors.Is(err, xmlsplit.ErrTooLong):
		s.front.reached.Add(limitElementBytes)
	case errors.Is(err, xmlsplit.ErrTooDeep) && !fromUpstream:
		s.front.reached.Add(limitElementDepth)
	case errors.Is(err, errSinkLost) && errors.Is(err, os.ErrDeadlineExceeded):
		s.front.reached.Add(limitWriteTimeout)
	case se != nil && se.condition == stream.ConnectionTimeout.Err:
		s.front.reached.Add(limitNegotiationTimeout)
	}
}
