package web

import (
	"container/list"
	"crypto/rand"
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"xtokend/component"
	"xtokend/internal/bosh"
	"xtokend/internal/longestqueue"
)

// boshSession is a session between requests of HTTP on one side and the front,
// which holds its conn, on the other. One timer serves all its deadlines.
type boshSession struct {
	server      *Server
	sid         string
	creation    streamAttributes
	contentType string // of responses

	// Of boshSessions, under its lock.
	holder netip.Prefix // of its client
	spare  *longestqueue.Entry[netip.Prefix, *boshSession]
	over   *list.Element

	mu       sync.Mutex
	changed  sync.Cond // something may have come to be read, or room to write
	machine  *bosh.Session
	requests map[bosh.Handle]chan bosh.Reply
	last     bosh.Handle
	timer    *time.Timer // nil until there is a deadline

	elementBytes int // that an element may have
	bodyBytes    int // that all of a request's may have

	// The conn's.
	closed                      bool
	readDeadline, writeDeadline time.Time
}

// boshRequest is a request whose reply is still to come.
type boshRequest struct {
	handle bosh.Handle
	reply  chan bosh.Reply // gets one at most
}

// newBOSHSession makes a session of its first request. It does nothing before
// begin is called.
func newBOSHSession(server *Server, body *boshBody, client netip.Addr) (*boshSession, boshRequest) {
	s := &boshSession{
		server: server, holder: component.AddressPrefix(client, server.settings.Load().limits.IPv6Prefix), sid: server.sidPrefix + rand.Text(), creation: body.stream, contentType: contentType(body.Content),
		requests:     make(map[bosh.Handle]chan bosh.Reply),
		elementBytes: negotiationElementBytes, bodyBytes: negotiationElementBytes,
	}
	s.changed.L = &s.mu
	request := s.expect()
	body.Units = slices.Insert(body.Units, 0, s.creation.header())
	s.machine = bosh.New(server.sessions.terms(), s.sid, request.handle, body.Request, server.now())
	return s, request
}

func (s *boshSession) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle()
}

// receive takes a request to the machine.
func (s *boshSession) receive(body *boshBody) boshRequest {
	switch {
	case body.Terminate && body.Fault == nil:
		body.Units = append(body.Units, []byte("</stream:stream>"))
	case body.Restart: // its payload is ignored (XEP-0206 §5)
		body.Units, body.Fault = [][]byte{body.stream.orElse(s.creation).header()}, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	request := s.expect()
	s.machine.Receive(request.handle, body.Request, s.server.now())
	s.settle()
	return request
}

// invalid refuses a body that breaks the syntax of XEP-0124.
func (s *boshSession) invalid() boshRequest {
	s.mu.Lock()
	defer s.mu.Unlock()
	request := s.expect()
	s.machine.Invalid(request.handle, bosh.BadRequest)
	s.settle()
	return request
}

// expect names a new request. The caller holds the lock.
func (s *boshSession) expect() boshRequest {
	s.last++
	request := boshRequest{s.last, make(chan bosh.Reply, 1)}
	s.requests[request.handle] = request.reply
	return request
}

// reply waits for the reply to a request and sends it. If it cannot, the machine
// is told, and the connection is broken: an empty response is none that a client
// could understand.
func (s *boshSession) reply(w http.ResponseWriter, r *http.Request, request boshRequest) {
	select {
	case reply := <-request.reply:
		if r.Context().Err() == nil && s.server.writeBOSH(w, s.contentType, &reply) == nil {
			return
		}
	case <-r.Context().Done():
	}
	s.gone(request.handle)
	panic(http.ErrAbortHandler)
}

// gone says that the connection of a request is lost, and its reply with it.
func (s *boshSession) gone(h bosh.Handle) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.requests, h)
	s.machine.Gone(h, s.server.now())
	s.settle()
}

func (s *boshSession) abort(c bosh.Condition) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.machine.Abort(c)
	s.settle()
}

// expire is called by the timer.
func (s *boshSession) expire() {
	defer s.recoverPanic()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.machine.Expire(s.server.now())
	s.settle()
}

// recoverPanic gives a session up that met a fault in the program where no
// request and no front would notice. It must be deferred directly.
func (s *boshSession) recoverPanic() {
	v := recover()
	if v == nil {
		return
	}
	s.server.panics.Add(1)
	s.server.log.Error("a fault in the program ended a BOSH session; please report it", "panic", v, "stack", string(debug.Stack()))
	s.server.sessions.remove(s)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.changed.Broadcast()
}

// settle must follow each call of the machine's that may change what it says. It
// hands out replies, wakes up whoever waits and sets the timer. The caller holds
// the lock.
func (s *boshSession) settle() {
	for _, r := range s.machine.Replies() {
		if replies, ok := s.requests[r.Handle]; ok {
			delete(s.requests, r.Handle)
			replies <- r // has room for the one there is
		}
	}
	s.changed.Broadcast()
	if s.machine.Err() != nil {
		s.server.sessions.remove(s)
	}
	s.setTimer()
}

func (s *boshSession) setTimer() {
	next := time.Duration(-1)
	consider := func(d time.Duration) {
		if d = max(d, 0); next < 0 || d < next {
			next = d
		}
	}
	if d := s.machine.Deadline(); !d.IsZero() {
		consider(d.Sub(s.server.now()))
	}
	for _, d := range []time.Time{s.readDeadline, s.writeDeadline} {
		if left := time.Until(d); !s.closed && !d.IsZero() && left > 0 { // else it was said already
			consider(left)
		}
	}
	switch {
	case s.timer == nil && next >= 0:
		s.timer = time.AfterFunc(next, s.expire)
	case next >= 0:
		s.timer.Reset(next)
	case s.timer != nil:
		s.timer.Stop()
	}
}

// limits says how long an element may be, and all of a request's together.
func (s *boshSession) limits() (elementBytes, bodyBytes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.elementBytes, s.bodyBytes
}
