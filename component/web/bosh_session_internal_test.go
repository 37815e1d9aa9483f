package web

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"xtokend/internal/bosh"
)

// boshServer has no front: sessions that are made with it serve nobody.
func boshServer() *Server {
	l := Limits{}.withDefaults()
	return &Server{limits: l, now: time.Now, sessions: newBOSHSessions(l)}
}

func newSession(t *testing.T, s *Server) (*boshSession, boshRequest) {
	t.Helper()
	body, err := readBody(strings.Replace(bodyStart, " sid='SID'", "", 1) + "</body>")
	must(t, err)
	session, request := newBOSHSession(s, body)
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
