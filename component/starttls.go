package component

import (
	"bytes"
	"context"

	"mellium.im/xmpp/stream"
)

// startTLS answers <starttls/>, does the handshake and opens the new stream
// (RFC 6120 §5.4). Bytes that came behind <starttls/> were sent by somebody who
// could not yet know that TLS would begin, perhaps by an attacker on the way:
// they end the connection. White space alone says nothing, and go-xmpp sends it.
func (s *session) startTLS(ctx context.Context) error {
	if !s.canStartTLS() {
		s.transport.say([]byte("<failure xmlns='" + nsTLS + "'/></stream:stream>"))
		return errNoTLS
	}
	if len(bytes.TrimSpace(s.transport.reader.Buffered())) > 0 {
		return fail(stream.PolicyViolation, "data was sent before the TLS handshake")
	}
	if _, err := s.transport.Write([]byte("<proceed xmlns='" + nsTLS + "'/>")); err != nil {
		return err
	}
	if err := s.transport.secureWith(ctx, s.settings.tls); err != nil {
		return err
	}
	s.domain, s.failures = nil, 0
	return s.openStream()
}
