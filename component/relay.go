package component

import (
	"context"
	"errors"
	"fmt"
	"time"

	"xtokend/internal/xmlsplit"
)

// relay passes bytes both ways until one side ends. Two pumps: this goroutine
// reads the upstream and is the only one that writes to the client; a second
// one reads the client.
func (s *session) relay(ctx context.Context) error {
	client, server := s.transport.boundedConn, s.upstream
	fromClient := &pump{
		src: client, dst: server, pending: s.transport.reader.Buffered(), count: &s.relayed.fromClient,
		scanner: xmlsplit.Scanner{Relay: true, Limits: xmlsplit.Limits{
			ElementBytes: s.settings.limits.ElementBytes, Depth: s.settings.limits.ElementDepth}},
	}
	toClient := &pump{
		src: server, dst: client, pending: s.toClient, count: &s.relayed.toClient,
		scanner: xmlsplit.Scanner{Relay: true},
	}
	if s.transport.framed != nil {
		toClient.whole = true
		toClient.scanner.Limits.ElementBytes = s.settings.limits.UpstreamElementBytes
	}
	s.transport.reader, s.toClient = nil, nil
	fromClient.scanner.StartInside()
	toClient.scanner.StartInside()
	client.setReadDeadline(time.Time{})

	stop := func() {
		client.interrupt()
		server.interrupt()
	}
	defer context.AfterFunc(ctx, stop)()
	down := make(chan error, 1)
	go func() {
		err := errPanicked
		defer func() {
			if errors.Is(err, errStreamEnd) || errors.Is(err, errSinkLost) {
				// The upstream's own last words are still to come, in good time.
				server.setReadDeadline(time.Now().Add(closeTimeout))
			} else {
				stop()
			}
			down <- err
		}()
		defer s.recoverPanic()
		err = fromClient.run()
	}()
	up := toClient.run()
	stop()
	downEnd := <-down
	if context.Cause(ctx) == errEnded && !errors.Is(downEnd, errStreamEnd) {
		s.endUpstream(fromClient.torn || errors.Is(downEnd, errSinkLost), toClient)
	}
	err := relayEnd(downEnd, up)
	if errors.Is(up, errSinkLost) || toClient.torn {
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
