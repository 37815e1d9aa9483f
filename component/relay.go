package component

import (
	"errors"
	"fmt"
	"time"

	"xtokend/internal/xmlsplit"
)

// relay passes bytes both ways until one side ends. Two pumps: one goroutine reads the
// upstream and is the only one that writes to the client; a second one reads the
// client. It is made where there is stack to spare: both goroutines live on the 2 kB
// that each begins with.
type relay struct {
	fromClient, toClient pump
	down                 chan error // what ended fromClient
}

func (s *session) newRelay() *relay {
	client, server := s.transport.boundedConn, s.upstream
	r := &relay{
		fromClient: pump{
			src: client, dst: server, pending: s.transport.reader.Buffered(), count: &s.relayed.fromClient,
			scanner: xmlsplit.Scanner{Relay: true, Limits: xmlsplit.Limits{
				ElementBytes: s.settings.limits.ElementBytes, Depth: s.settings.limits.ElementDepth}},
		},
		toClient: pump{
			src: server, dst: client, pending: s.toClient, count: &s.relayed.toClient,
			scanner: xmlsplit.Scanner{Relay: true},
		},
		down: make(chan error, 1),
	}
	if s.transport.framed != nil {
		r.toClient.whole = true
		r.toClient.scanner.Limits.ElementBytes = s.settings.limits.UpstreamElementBytes
	}
	s.transport.reader, s.toClient = nil, nil
	s.header = nil // no stanza is parsed any more
	r.fromClient.scanner.StartInside()
	r.toClient.scanner.StartInside()
	client.setReadDeadline(time.Time{})
	if s.relaying.Store(true); s.stopped() != nil { // before stop could see that it relays
		s.interrupt()
	}
	return r
}

// interrupt ends both pumps.
func (s *session) interrupt() {
	s.transport.interrupt()
	s.upstream.interrupt()
}

// pass is the relay, from its beginning to its end.
func (s *session) pass(r *relay) error {
	defer s.relaying.Store(false)
	go s.passDown(r)
	up := r.toClient.run()
	return s.passed(r, up)
}

// passDown runs the pump that reads the client.
func (s *session) passDown(r *relay) {
	err := errPanicked
	defer func() {
		if errors.Is(err, errStreamEnd) || errors.Is(err, errSinkLost) {
			// The upstream's own last words are still to come, in good time.
			s.upstream.setReadDeadline(time.Now().Add(closeTimeout))
		} else {
			s.interrupt()
		}
		r.down <- err
	}()
	defer s.recoverPanic()
	err = r.fromClient.run()
}

// passed ends what the end of the pump that read the upstream has left.
func (s *session) passed(r *relay, up error) error {
	s.interrupt()
	downEnd := <-r.down
	if s.stopped() == errEnded && !errors.Is(downEnd, errStreamEnd) {
		s.endUpstream(r.fromClient.torn || errors.Is(downEnd, errSinkLost), &r.toClient)
	}
	err := relayEnd(downEnd, up)
	if errors.Is(up, errSinkLost) || r.toClient.torn {
		return fmt.Errorf("%w: %w", errTorn, up)
	}
	if errors.Is(err, errClosedByClient) && !errors.Is(up, errStreamEnd) {
		s.transport.say([]byte("</stream:stream>"))
	}
	return err
}

// relayEnd says what ended a relay, from the ends of both pumps: down read the
// client, up the upstream.
func relayEnd(down, up error) error {
	switch {
	case errors.Is(down, errStreamEnd):
		return errClosedByClient
	case errors.Is(up, errStreamEnd):
		return errClosedByUpstream
	case errors.Is(down, errSourceLost), errors.Is(down, errPanicked):
		return fmt.Errorf("%w: %w", errDropped, down)
	case errors.Is(down, errSinkLost), errors.Is(down, errStopped):
		return upstreamLost(up) // it ended, or its XML cannot be followed
	}
	return down // the client broke a rule
}
