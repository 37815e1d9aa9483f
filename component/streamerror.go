package component

import (
	"errors"
	"os"

	"mellium.im/xmpp/stream"

	"xtokend/internal/element"
	"xtokend/internal/xmlsplit"
)

// streamError ends a stream with a condition of RFC 6120 §4.9.3. The text is
// for people at the other end and gives nothing away beyond the condition; the
// cause is for the log.
type streamError struct {
	condition string
	text      string
	cause     error
}

func (e *streamError) Error() string {
	if e.cause != nil {
		return e.condition + ": " + e.cause.Error()
	}
	return e.condition
}

func (e *streamError) Unwrap() error { return e.cause }

func fail(condition stream.Error, text string) *streamError {
	return &streamError{condition: condition.Err, text: text}
}

// Causes for which a session's context is cancelled.
var (
	errShutdown  = fail(stream.SystemShutdown, "the service is being restarted; please connect again")
	errDisplaced = fail(stream.ResourceConstraint, "too many connections wait for authentication; please try again")
)

// Ends that are no fault and get no stream error.
var (
	errClosedByClient   = errors.New("closed by the client")
	errClosedByUpstream = errors.New("closed by the server")
	errNoTLS            = errors.New("asked for TLS that is not offered")
	errDropped          = errors.New("connection to the client lost")
	errHandshake        = errors.New("TLS handshake failed")
	errProxyHeader      = errors.New("broken PROXY header")
	errTrustTaken       = errors.New("PROXY header of a proxy that is trusted no more")
	errOverLimit        = errors.New("too many connections")
	errTorn             = errors.New("connection lost within an element")
)

// isClosed says whether both sides know that the stream has ended.
func isClosed(err error) bool {
	return errors.Is(err, errClosedByClient) || errors.Is(err, errClosedByUpstream) || errors.Is(err, errNoTLS)
}

// isFinal says whether nothing may be sent any more, whatever else happens.
func isFinal(err error) bool {
	return isClosed(err) || errors.Is(err, errHandshake) || errors.Is(err, errTorn) ||
		errors.Is(err, errProxyHeader) || errors.Is(err, errTrustTaken) || errors.Is(err, errOverLimit)
}

// asStreamError gives the condition for whatever ended a session, nil if there
// is nobody left to tell.
func asStreamError(err error) *streamError {
	var se *streamError
	with := func(condition stream.Error, text string) *streamError {
		return &streamError{condition: condition.Err, text: text, cause: err}
	}
	switch {
	case isFinal(err), errors.Is(err, errDropped):
		return nil
	case errors.As(err, &se):
		return se
	case errors.Is(err, xmlsplit.ErrRestricted):
		return with(stream.RestrictedXML, "comments, processing instructions, document types and entities are not allowed")
	case errors.Is(err, xmlsplit.ErrNotWellFormed), errors.Is(err, element.ErrNotWellFormed):
		return with(stream.NotWellFormed, "")
	case errors.Is(err, element.ErrUnsupportedEncoding):
		return with(stream.UnsupportedEncoding, "")
	case errors.Is(err, xmlsplit.ErrTooLong):
		return with(stream.PolicyViolation, "the element is too long")
	case errors.Is(err, xmlsplit.ErrTooDeep):
		return with(stream.PolicyViolation, "the element is nested too deeply")
	case errors.Is(err, os.ErrDeadlineExceeded):
		return with(stream.ConnectionTimeout, "the negotiation took too long")
	}
	return nil
}

// appendStreamError appends the error and the stream's end (RFC 6120 §4.9.1.1).
func appendStreamError(b []byte, e *streamError) []byte {
	b = append(b, "<stream:error><"...)
	b = append(b, e.condition...)
	b = append(b, " xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"...)
	if e.text != "" {
		b = append(b, "<text xmlns='urn:ietf:params:xml:ns:xmpp-streams' xml:lang='en'>"...)
		b = append(b, element.Escape(e.text)...)
		b = append(b, "</text>"...)
	}
	return append(b, "</stream:error></stream:stream>"...)
}
