package bosh

import (
	"slices"
	"time"
)

// maxRepeats is how often one request may be sent again (XEP-0124 §14.3);
// Strophe gives up after five times.
const maxRepeats = 10

// maxHasty is how many requests in a row may come too soon (XEP-0124 §11).
const maxHasty = 3

// exchange is a request and, later, its response.
type exchange struct {
	Request
	handle   Handle
	live     bool // its connection waits for a reply
	creation bool
	blank    bool      // it only asked for a response
	arrived  time.Time // the last repetition counts
	repeats  int
	lost     bool // its connection was, with the response if there was one

	// Once answered.
	reply Reply
	sent  time.Time
	fixed bool // the client may have the response from more than one connection
}

// window holds the requests that are not answered yet, by their rid
// (XEP-0124 §14.2).
type window struct {
	answered uint64      // all up to this rid are
	held     []*exchange // processed: answered+1 to next-1
	next     uint64      // whose turn to be processed it is
	waiting  []*exchange // received and not processed
	last     *exchange   // the request that was received last, repetitions aside
	hasty    int         // requests in a row that came too soon, up to the last
}

// open is every unanswered request that was received, by rid.
func (w *window) open() []*exchange { return slices.Concat(w.held, w.waiting) }

func (w *window) find(rid uint64) *exchange {
	return first(w.open(), func(x *exchange) bool { return x.RID == rid })
}

func (w *window) ofHandle(h Handle) *exchange {
	return first(w.open(), func(x *exchange) bool { return x.handle == h && x.live })
}

// live says whether a response can be sent, now or later.
func (w *window) live() bool {
	return first(w.open(), func(x *exchange) bool { return x.live }) != nil
}

func first(xs []*exchange, is func(*exchange) bool) *exchange {
	if i := slices.IndexFunc(xs, is); i >= 0 {
		return xs[i]
	}
	return nil
}

func (w *window) clear() { w.held, w.waiting = nil, nil }

// ready is the request whose turn has come, nil if it is not there yet.
func (w *window) ready() *exchange {
	if len(w.waiting) == 0 || w.waiting[0].RID != w.next {
		return nil
	}
	return w.waiting[0]
}

// advance takes the ready request from those that wait to those that are held.
func (w *window) advance() {
	w.held = append(w.held, w.waiting[0])
	w.waiting = slices.Delete(w.waiting, 0, 1)
	w.next++
}

// received is the highest rid that has come with all before it.
func (w *window) received() uint64 {
	rid := w.next - 1
	for _, x := range w.waiting {
		if x.RID != rid+1 {
			break
		}
		rid++
	}
	return rid
}

// gapDeadline is when to give up waiting for a request that others overtook. A
// client notices a lost request only after 'wait' (Strophe 1.1 times that), so
// this is later.
func (s *Session) gapDeadline() (time.Time, bool) {
	if len(s.waiting) == 0 || s.waiting[0].RID == s.next {
		return time.Time{}, false
	}
	oldest := slices.MinFunc(s.waiting, func(a, b *exchange) int { return a.arrived.Compare(b.arrived) })
	return oldest.arrived.Add(s.terms.Wait + s.terms.Inactivity), true
}

// giveUpGap forgets the requests behind a lost one. The client has to repeat
// them (XEP-0124 §17.3).
func (s *Session) giveUpGap() {
	for _, x := range s.waiting {
		s.emit(x, Reply{Type: "error"})
	}
	s.waiting = nil
}

// repeat takes x for the unanswered request that it repeats: the response goes
// to the newer connection (XEP-0124 §14.3).
func (s *Session) repeat(first, x *exchange) {
	if c := first.repeated(x); c != "" {
		s.refuse(x, c)
		return
	}
	s.emit(first, Reply{Type: "error"})
	first.handle, first.live, first.lost, first.arrived = x.handle, true, false, x.arrived
}

// repeatAnswered gives x the response of the request that it repeats. If that was
// lost and is empty, it may bring what waits, as long as no later one has brought
// anything.
func (s *Session) repeatAnswered(first, x *exchange, now time.Time) {
	if c := first.repeated(x); c != "" {
		s.refuse(x, c)
		return
	}
	if !first.lost {
		first.fixed = true
	} else {
		first.handle, first.lost = x.handle, false
		if y := s.cache.newestFilled(); first.Pause == 0 && (y == nil || y.RID < first.RID) {
			s.fill(first, &first.reply, s.out.take(s.config.ResponseBytes))
			s.cache.bytes += payloadBytes(first)
		}
	}
	first.sent = now
	s.paused = first.Pause
	s.emit(x, first.reply)
}

// repeated judges x as a repetition of first, and counts it.
func (first *exchange) repeated(x *exchange) Condition {
	if !sameKey(first.Key, x.Key) || first.Secure != x.Secure {
		return ItemNotFound
	}
	if first.repeats++; first.repeats > maxRepeats {
		return PolicyViolation
	}
	return ""
}

// admit lets a new request wait for its turn. Requests whose connections are
// lost are answered first, without payload: a client that goes on with another
// rid will not ask for them again, or has to fetch the payload elsewhere.
func (s *Session) admit(x *exchange) Condition {
	most := uint64(s.terms.Requests)
	extra := uint64(0)
	if x.mayExceed() {
		extra = 1
	}
	if x.RID < s.next || x.RID-s.next >= most+extra {
		return ItemNotFound // the same for both (XEP-0124 §14.3)
	}
	for len(s.held) > 0 && !s.held[0].live {
		s.answer(s.held[0], nil, x.arrived)
	}
	if s.tooMany(x) || s.tooSoon(x) {
		return PolicyViolation
	}
	s.last = x
	i, _ := slices.BinarySearchFunc(s.waiting, x, func(a, b *exchange) int { return int(a.RID) - int(b.RID) })
	s.waiting = slices.Insert(s.waiting, i, x)
	return ""
}

// tooMany: more requests at once than 'requests' allows (XEP-0124 §11). The
// client has sent all up to its highest rid.
func (s *Session) tooMany(x *exchange) bool {
	return x.RID-s.answered > uint64(s.terms.Requests) && !x.mayExceed()
}

// tooSoon: an empty request within 'polling' of the one before, where the
// client already had all the requests under way that it may have (XEP-0124
// §11), or polls (§12). The former is forgiven a few times in a row: a page that
// is reloaded goes on with such a request, before it is known that the connection
// of the one before is gone.
func (s *Session) tooSoon(x *exchange) bool {
	soon := x.blank && x.arrived.Sub(s.last.arrived) < s.terms.Polling
	if !s.terms.polls() {
		if !soon || x.RID-s.answered != uint64(s.terms.Requests) {
			s.hasty = 0
			return false
		}
		s.hasty++
		return s.hasty > maxHasty
	}
	if !soon {
		return false
	}
	before := s.cache.find(x.RID - 1)
	return before != nil && before.blank && !before.lost && len(before.reply.Payload) == 0
}
