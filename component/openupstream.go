package component

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"mellium.im/xmpp/stream"

	"xtokend/component/upstream"
	"xtokend/internal/element"
	"xtokend/internal/xmlsplit"
	"xtokend/sasl"
)

// openUpstream opens the authenticated user's stream at the upstream. The
// token stays spent if that fails, so the client is told to fetch a new one.
func (s *session) openUpstream(ctx context.Context) *sasl.Failure {
	ctx, done := context.WithTimeout(ctx, upstreamTimeout)
	defer done()
	conn, err := s.domain.Upstream.Open(upstream.WithClient(ctx, s.address), s.user)
	if err == nil {
		s.upstream = newBoundedConn(conn, s.settings.limits.WriteTimeout)
		return nil
	}
	var refusal *upstream.Refusal
	if !errors.As(err, &refusal) {
		return sasl.Fail(sasl.TemporaryAuthFailure, "upstream-unavailable", err)
	}
	f := sasl.Fail(refusal.Condition, refusal.Reason, err)
	// An account that the server will not let us into is no fault of the client's.
	f.Counted = refusal.Condition == sasl.AccountDisabled
	return f
}

// joinUpstream begins the user's stream at the upstream as the client began it,
// answers the client with the upstream's features, and leaves both sides where
// bytes can pass.
func (s *session) joinUpstream(ctx context.Context) error {
	deadline, _ := ctx.Deadline()
	s.upstream.setReadDeadline(deadline)
	defer s.upstream.setReadDeadline(time.Time{})
	defer context.AfterFunc(ctx, s.upstream.interrupt)()
	if _, err := s.upstream.Write(s.upstreamHeader()); err != nil {
		return upstreamLost(err)
	}
	reader := xmlsplit.NewReader(s.upstream, xmlsplit.Limits{ElementBytes: upstreamHeadBytes, Depth: s.settings.limits.ElementDepth})
	header, err := s.readUpstreamHeader(reader)
	if err != nil {
		return upstreamLost(err)
	}
	features, err := nextUnit(reader, xmlsplit.Element)
	if err != nil {
		return upstreamLost(err)
	}
	e, err := element.Parse(features, header)
	if err != nil {
		return upstreamLost(err)
	}
	switch e.Name {
	case xml.Name{Space: nsStream, Local: "features"}:
		features = clientFeatures(features, e)
		s.toClient = append(s.toClient, reader.Buffered()...)
		return s.answer(header, func(b []byte) []byte { return append(b, features...) })
	case xml.Name{Space: nsStream, Local: "error"}: // it concerns the client
		s.answer(header, func(b []byte) []byte { return append(append(b, features...), "</stream:stream>"...) })
		return errClosedByUpstream
	}
	return upstreamLost(fmt.Errorf("the server began its stream with <%.64s/>", e.Name.Local))
}

// readUpstreamHeader reads the upstream's answer to our header.
func (s *session) readUpstreamHeader(r *xmlsplit.Reader) (element.Header, error) {
	unit, err := nextUnit(r, xmlsplit.Header)
	if err != nil {
		return element.Header{}, err
	}
	h, err := element.ParseHeader(unit)
	if err == nil && (h.Name.Space != nsStream || h.Name.Local != "stream" || h.Prefix != "stream" || h.ContentNS != nsClient) {
		err = errors.New("the answer is no XMPP stream")
	}
	return h, err
}

func nextUnit(r *xmlsplit.Reader, want xmlsplit.Kind) ([]byte, error) {
	for {
		kind, unit, err := r.Next()
		switch {
		case err != nil:
			return nil, err
		case kind == want:
			return unit, nil
		case kind != xmlsplit.Space:
			return nil, fmt.Errorf("unexpected %v from the server", kind)
		}
	}
}

// upstreamHeader is the client's header for the upstream: its language and its
// own namespace declarations, but our idea of who it is.
func (s *session) upstreamHeader() []byte {
	b := []byte("<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='" + nsStream + "' version='1.0' to='")
	b = append(b, element.Escape(s.domain.Name)...)
	b = append(b, "' from='"...)
	b = append(b, element.Escape(s.user.String())...)
	if s.header.Lang != "" {
		b = append(b, "' xml:lang='"...)
		b = append(b, element.Escape(s.header.Lang)...)
	}
	b = append(b, '\'')
	b = appendDeclarations(b, *s.header)
	return append(b, '>')
}

// upstreamLost ends a session whose upstream failed after success was told.
func upstreamLost(err error) error {
	if ne := net.Error(nil); errors.As(err, &ne) && ne.Timeout() {
		err = fmt.Errorf("the server did not answer in time: %w", err)
	}
	if errors.Is(err, io.EOF) {
		err = errors.New("the server closed the connection")
	}
	se := fail(stream.RemoteConnectionFailed, "the connection to the server is lost; please connect again")
	se.cause = err
	return se
}
