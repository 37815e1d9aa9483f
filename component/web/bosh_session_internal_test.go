package web

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"xtokend/internal/bosh"
)

// boshServer has no front: sessions that are made with it serve nobody.
func boshServer() *Server {
	l := Limits{}.withDefaults()
	s := &Server{now: time.Now, sessions: newBOSHSessions(l, func(string) {})}
	s.settings.Store(&settings{limits: l})
	return s
}

func newSession(t *testing.T, s *Server) (*boshSession, boshRequest) {
	t.Helper()
	body, err := readBody(strings.Replace(bodyStart, " sid='SID'", "", 1) + "</body>")
	must(t, err)
	session, request := newBOSHSession(s, body, netip.Addr{})
	session.begin()
	return session, request
}

// A connection that is closed although nobody has told the client why.
func TestBOSHCloseWithoutAnEnd(t *testing.T) {
	session, request := newSession(t, boshServer())
	must(t, (&boshConn{boshSession: session}).Close())
	if r := <-request.reply; r.Type != "terminate" || r.Condition != bosh.InternalServerError {
		t.Errorf("the client is told %+v", r)
	}
}

// A reply is not written to a connection that is known to be gone: it would seem
// to have arrived.
func TestBOSHReplyToNobody(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for range 20 { // else it may notice by chance
		session, request := newSession(t, boshServer())
		must(t, (&boshConn{boshSession: session}).CloseWrite())
		w := httptest.NewRecorder()
		func() {
			defer func() {
				if v := recover(); v != http.ErrAbortHandler {
					t.Errorf("the handler ends with %v", v)
				}
			}()
			session.reply(w, httptest.NewRequestWithContext(ctx, http.MethodPost, "/http-bind", nil), request)
		}()
		if w.Body.Len() > 0 {
			t.Fatalf("%q was written", w.Body)
		}
	}
}

// slowWriter notes what is written under which deadline.
type slowWriter struct {
	*httptest.ResponseRecorder
	deadline time.Time
	parts    []int
}

func (w *slowWriter) SetWriteDeadline(t time.Time) error {
	w.deadline = t
	return nil
}

func (w *slowWriter) Write(p []byte) (int, error) {
	if w.deadline.IsZero() {
		panic("a write without a deadline of its own")
	}
	w.deadline = time.Time{}
	w.parts = append(w.parts, len(p))
	return w.ResponseRecorder.Write(p)
}

// A slow client has the write timeout for each part of a long response.
func TestBOSHLongResponse(t *testing.T) {
	w := &slowWriter{ResponseRecorder: httptest.NewRecorder()}
	reply := bosh.Reply{Status: http.StatusOK, Payload: [][]byte{[]byte("<a>" + strings.Repeat("x", 40_000) + "</a>")}}
	must(t, boshServer().writeBOSH(w, boshContentType, &reply))
	if len(w.parts) != 3 || slices.Max(w.parts) > writeBytes {
		t.Errorf("it is written in parts of %v bytes", w.parts)
	}
	if got, want := w.Body.String(), string(reply.AppendBody(nil)); got != want {
		t.Errorf("%d bytes were written, want %d", len(got), len(want))
	}
}

// Whoever begins many sessions makes room for others; before that those do that
// are over.
func TestWhichBOSHSessionsMakeRoom(t *testing.T) {
	reached := 0
	sessions := newBOSHSessions(Limits{BOSHSessions: 5}, func(string) { reached++ })
	begin := func(address string) *boshSession {
		s := &boshSession{sid: strings.Repeat("x", 1+reached) + address, holder: netip.PrefixFrom(netip.MustParseAddr(address), 32)}
		s.sid += string(rune('a' + len(sessions.bySID)))
		if _, ok := sessions.insert(s); !ok {
			return nil
		}
		return s
	}
	there := func(s *boshSession) bool { return sessions.find(s.sid) == s }
	honest := begin("203.0.113.1")
	in := begin("203.0.113.2")
	sessions.authenticated(in)
	flood := []*boshSession{begin("203.0.113.3"), begin("203.0.113.3"), begin("203.0.113.3")}
	sessions.ended(flood[2])
	begin("203.0.113.4")
	if there(flood[2]) || !there(flood[0]) {
		t.Error("the session that is over has not made room")
	}
	begin("203.0.113.4")
	if there(flood[0]) || !there(honest) || !there(flood[1]) {
		t.Error("the oldest session of whoever has most has not made room")
	}
	for _, s := range sessions.bySID {
		sessions.authenticated(s)
	}
	if begin("203.0.113.5") != nil {
		t.Error("a session was let in above the limit")
	}
	if reached != 3 {
		t.Errorf("the limit was met %d times, want 3", reached)
	}
}
