package component

import (
	"context"
	"errors"
	"time"

	"xtokend/internal/xmlsplit"
)

// relay passes bytes both ways until one side ends. Two pumps: this goroutine
// reads the upstream and is the only one that writes to the client; a second
// one reads the client.
func (s *session) relay(ctx context.Context) error {
	fromClient := &pump{
		src: s.transport.conn, dst: s.upstream, pending: s.transport.reader.Buffered(),
		timeout: s.front.limits.WriteTimeout, count: &s.relayed.fromClient,
		scanner: xmlsplit.Scanner{Relay: true, Limits: xmlsplit.Limits{
			ElementBytes: s.front.limits.ElementBytes, Depth: s.front.limits.ElementDepth}},
	}
	toClient := &pump{
		src: s.upstream, dst: s.transport.conn, pending: s.toClient,
		timeout: s.front.limits.WriteTimeout, count: &s.relayed.toClient,
		scanner: xmlsplit.Scanner{Relay: true},
	}
	s.transport.reader, s.toClient = nil, nil
	fromClient.scanner.StartInside()
	toClient.scanner.StartInside()
	s.transport.setReadDeadline(ctx)
	s.upstream.SetDeadline(time.Time{})

	stop := func() {
		fromClient.stop()
		toClient.stop()
	}
	defer context.AfterFunc(ctx, stop)()
	down := make(chan error, 1)
	go func() {
		err := errPanicked
		defer func() {
			if errors.Is(err, errStreamEnd) || errors.Is(err, errSinkLost) {
				// The upstream's own last words are still to come, in good time.
				s.upstream.SetReadDeadline(time.Now().Add(closeTimeout))
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
	err := relayEnd(<-down, up)
	if errors.Is(up, errSinkLost) || toClient.torn {
		return errDropped // nothing more can be said on a torn stream
	}
	if err == errClosedByClient && !errors.Is(up, errStreamEnd) {
		s.transport.Write([]byte("</stream:stream>"))
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
	case errors.Is(down, errSourceLost), errors.Is(up, errSinkLost), errors.Is(down, errPanicked):
		return errDropped
	case errors.Is(down, errSinkLost), errors.Is(up, errSourceLost):
		return upstreamLost(up)
	case errors.Is(down, errStopped):
		return upstreamLost(up) // the upstream's XML cannot be followed
	}
	return down // the client broke a rule
}
