package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	// talkPace is the time between two messages of one side, cutPace that between
	// two cuts of a talk's connections.
	talkPace = 100 * time.Millisecond
	cutPace  = 3 * time.Second
)

// talk is two people who send each other messages, and come back to their sessions
// (XEP-0198) when a connection is cut. Each message arrives once, and in order.
type talk struct {
	soak  *soak
	name  string // of the service
	sides [2]*talker
}

// talker is one of them.
type talker struct {
	client  *resumingClient
	severer *severer
	started chan struct{} // closed when the session is there
	ended   chan struct{} // closed when the client has returned
	leave   context.CancelFunc

	mu      sync.Mutex
	sent    int           // messages to the other side
	next    int           // number of the message to be received
	changed chan struct{} // holds a token behind each message received
}

func (k *soak) newTalk(n int, to service) *talk {
	t := &talk{soak: k, name: to.name}
	for i := range t.sides {
		t.sides[i] = t.join(to, fmt.Sprintf("talker%d-%d", n, i))
	}
	return t
}

func (t *talk) join(to service, user string) *talker {
	k := t.soak
	side := &talker{started: make(chan struct{}), ended: make(chan struct{}), changed: make(chan struct{}, 1)}
	side.severer = newSeverer(k.s.t, to.address, func(*severance) { k.cuts.Add(1) })
	to.address = side.severer.address
	connect := func() (*stream, error) {
		stream, err := k.s.open(to)
		if err != nil {
			return nil, err
		}
		if err := stream.authenticate("X-TOKEN", user, k.s.issuer.token(user)); err != nil {
			stream.close()
			return nil, err
		}
		k.logins.Add(1)
		return stream, nil
	}
	side.client = newResumingClient(user, connect, func(body string) { t.received(side, body) })
	var ctx context.Context
	ctx, side.leave = context.WithCancel(k.s.ctx)
	var once sync.Once
	go func() {
		defer close(side.ended)
		if err := side.client.run(ctx, func() { once.Do(func() { close(side.started) }) }); err != nil {
			k.fail(fmt.Errorf("a talk over %s: %w", t.name, err))
		}
	}()
	return side
}

func (t *talk) received(by *talker, body string) {
	by.mu.Lock()
	defer by.mu.Unlock()
	if want := t.body(by.next); body != want {
		t.soak.fail(fmt.Errorf("a talk over %s: in place of %q came %q", t.name, want, body))
	}
	by.next++
	t.soak.messages.Add(1)
	select {
	case by.changed <- struct{}{}:
	default:
	}
}

func (t *talk) body(number int) string { return fmt.Sprintf("%s number %d", t.soak.word, number) }

// run talks until ctx ends, and then waits for what is under way.
func (t *talk) run(ctx context.Context) {
	for _, side := range t.sides {
		select {
		case <-side.started:
		case <-side.ended:
			return
		case <-t.soak.failed:
			return
		case <-t.soak.s.ctx.Done():
			return
		}
	}
	say, cut := time.NewTicker(talkPace), time.NewTicker(cutPace)
	defer say.Stop()
	defer cut.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-say.C:
			for i, from := range t.sides {
				t.say(from, t.sides[1-i])
			}
		case <-cut.C:
			t.sides[rand.IntN(2)].severer.sever(&severance{
				fromClient: rand.IntN(2) == 0, bytes: 1 + rand.IntN(maxCutBytes), serverUnaware: rand.IntN(3) == 0,
			})
		}
	}
	t.arrive()
}

// say sends a message, unless too many are under way.
func (t *talk) say(from, to *talker) {
	to.mu.Lock()
	received := to.next
	to.mu.Unlock()
	if from.sent-received < conversationWindow {
		from.client.send(to.client.jid, t.body(from.sent))
		from.sent++
	}
}

// arrive waits until all that was said has arrived.
func (t *talk) arrive() {
	for i, by := range t.sides {
		for {
			by.mu.Lock()
			next := by.next
			by.mu.Unlock()
			if next == t.sides[1-i].sent {
				break
			}
			select {
			case <-by.changed:
			case <-by.ended:
				return
			case <-t.soak.failed:
				return
			case <-t.soak.s.ctx.Done():
				t.soak.fail(fmt.Errorf("a talk over %s: message %d has not arrived", t.name, next))
				return
			}
		}
	}
}

// end ends both clients.
func (t *talk) end() {
	for _, side := range t.sides {
		side.leave()
		<-side.ended
		side.severer.close() // and what the server believes in still
	}
}
