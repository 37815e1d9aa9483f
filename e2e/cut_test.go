package e2e

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

var cutSeed = flag.Uint64("cut-seed", 0, "seed of the cuts and messages of the conversation; 0: a new one")

// Where and how often the connections of a conversation are cut.
const (
	conversationMessages = 1000
	conversationCuts     = 100
	// conversationWindow is how many messages each side may be ahead of what the
	// other has received.
	conversationWindow = 10
	// maxCutBytes reaches from one message into the next ones, or from a new
	// connection through its handshake, authentication and resumption into what
	// is sent again.
	maxCutBytes = 3000
	// conversationTimeout bounds the whole of it.
	conversationTimeout = time.Minute
)

// ejabberd 23.01 cannot do this, also with nothing in front of it: what a session has
// under way when another connection resumes it may be passed on without being counted,
// so that its client sends it again; it may be overtaken; it may be lost.
func TestNoMessageIsLostOrDoubledWhenAConversationIsCutAHundredTimes(t *testing.T) {
	onEach(t, []upstream{stockProsody, builtInHost}, func(t *testing.T, behind upstream) {
		for _, scheme := range []string{"ws", "wss", "xmpp"} {
			t.Run(scheme, func(t *testing.T) {
				s := newSiteOn(t, behind, nil)
				cutConversation(t, s, s.service(scheme))
			})
		}
	})
}

// cutConversation lets two resuming clients of a site talk while their
// connections to one of its services are cut at random points of the byte
// streams: within messages, within the handshake, before the answer to <auth/> or
// to <resume/>. Each must receive every message of the other exactly once and in
// order.
func cutConversation(t *testing.T, s *site, to service) {
	seed := *cutSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("go test -run %s -cut-seed %d", t.Name(), seed)
	ctx, cancel := context.WithTimeout(s.ctx, conversationTimeout)
	defer cancel()
	c := &conversation{ctx: ctx, t: t, random: rand.New(rand.NewPCG(seed, 0)), changed: make(chan struct{})}
	c.sides[0] = c.join(s, to, "alice")
	c.sides[1] = c.join(s, to, "bob")
	defer c.leave(cancel)

	began := time.Now()
	c.talk()
	t.Logf("%s, in %v", c.state(), time.Since(began).Round(time.Millisecond))
}

// conversation is what happens between two sides.
type conversation struct {
	ctx    context.Context
	t      *testing.T
	random *rand.Rand
	sides  [2]*side

	mu      sync.Mutex
	changed chan struct{} // closed by the next event
	sent    int           // messages, of both sides
	made    []*severance
	fault   error // the first one
}

// side is one of the two who talk.
type side struct {
	user    string
	client  *resumingClient
	severer *severer
	ended   chan struct{} // closed when the client has returned

	// Guarded by the conversation.
	started bool
	sent    []message // to the other side
	next    int       // of the other side's messages, the one to be received
}

// message is one of the conversation, by its number in it.
type message struct {
	number int
	body   string
}

func (c *conversation) join(s *site, to service, user string) *side {
	s.mustLogIn(user, s.issuer.token(user)) // the account exists
	side := &side{user: user, ended: make(chan struct{})}
	side.severer = newSeverer(c.t, to.address, c.severed)
	to.address = side.severer.address
	connect := func() (*stream, error) {
		stream, err := s.open(to)
		if err != nil {
			return nil, err
		}
		if err := stream.authenticate("X-TOKEN", user, s.issuer.token(user)); err != nil {
			stream.close()
			return nil, err
		}
		return stream, nil
	}
	side.client = newResumingClient(user, connect, func(body string) { c.received(side, body) })
	go func() {
		defer close(side.ended)
		started := func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			side.started = true
			c.wake()
		}
		if err := side.client.run(c.ctx, started); err != nil {
			c.fail(err)
		}
	}()
	c.await("log in", func() bool { return side.started })
	return side
}

// leave ends both clients.
func (c *conversation) leave(cancel func()) {
	cancel()
	for _, side := range c.sides {
		<-side.ended
	}
}

// talk sends every message and makes every cut, and returns when all messages
// have arrived, and one more from each side behind them.
func (c *conversation) talk() {
	cuts := c.plan()
	for number := 1; number <= conversationMessages; number++ {
		for len(cuts) > 0 && cuts[0].message <= number {
			c.side(cuts[0].client).severer.sever(cuts[0])
			cuts = cuts[1:]
		}
		from, to := c.sides[0], c.sides[1]
		if c.random.IntN(2) == 0 {
			from, to = to, from
		}
		c.await(fmt.Sprintf("send message %d", number), func() bool { return len(from.sent)-to.next < conversationWindow })
		c.send(from, to, number, strings.Repeat("-", c.random.IntN(400)))
	}
	for _, side := range c.sides {
		side.severer.severRest()
	}
	c.awaitArrival()
	for i, from := range c.sides {
		c.send(from, c.sides[1-i], conversationMessages+1+i, "goodbye")
	}
	c.awaitArrival()
	c.await("make every cut", func() bool { return len(c.made) == conversationCuts })
}

// plan draws the cuts, in the order of the messages that they follow. The last
// tenth of the conversation is there to meet those that come late.
func (c *conversation) plan() []*severance {
	var cuts []*severance
	for range conversationCuts {
		cuts = append(cuts, &severance{
			client:        c.sides[c.random.IntN(2)].user,
			fromClient:    c.random.IntN(2) == 0,
			bytes:         1 + c.random.IntN(maxCutBytes),
			serverUnaware: c.random.IntN(3) == 0,
			message:       1 + c.random.IntN(conversationMessages*9/10),
		})
	}
	slices.SortStableFunc(cuts, func(a, b *severance) int { return a.message - b.message })
	for i, cut := range cuts {
		cut.number = i + 1
	}
	return cuts
}

func (c *conversation) side(user string) *side {
	if c.sides[0].user == user {
		return c.sides[0]
	}
	return c.sides[1]
}

func (c *conversation) send(from, to *side, number int, filling string) {
	body := fmt.Sprintf("message %d, the %dth of %s %s", number, len(from.sent)+1, from.user, filling)
	c.mu.Lock()
	from.sent = append(from.sent, message{number, body})
	c.sent = number
	c.mu.Unlock()
	from.client.send(to.client.jid, body)
}

// received holds what a side receives against what the other side sent.
func (c *conversation) received(by *side, body string) {
	from := c.sides[0]
	if from == by {
		from = c.sides[1]
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.wake()
	switch at := slices.IndexFunc(from.sent, func(m message) bool { return m.body == body }); {
	case at < 0:
		c.failLocked(fmt.Errorf("%s received %q, which %s did not send", by.user, body, from.user))
	case at < by.next:
		c.failLocked(fmt.Errorf("message %d of %s was received twice\n%s", from.sent[at].number, from.user, c.cutsAround(from.sent[at].number)))
	case at > by.next:
		missing := from.sent[by.next].number
		c.failLocked(fmt.Errorf("message %d of %s is missing: message %d came instead\n%s", missing, from.user, from.sent[at].number, c.cutsAround(missing)))
	default:
		by.next++
	}
}

// cutsAround lists the cuts that may have to do with a message: it was sent, or
// sent again, not long before or after them. It is called with mu held.
func (c *conversation) cutsAround(number int) string {
	var text strings.Builder
	for _, cut := range c.made {
		if cut.message >= number-2*conversationWindow && cut.message <= number+2*conversationWindow {
			fmt.Fprintln(&text, cut)
		}
	}
	return text.String()
}

func (c *conversation) severed(cut *severance) {
	cut.online = c.side(cut.client).client.isOnline()
	c.mu.Lock()
	defer c.mu.Unlock()
	cut.message = c.sent
	c.made = append(c.made, cut)
	c.wake()
}

func (c *conversation) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failLocked(fmt.Errorf("%w\n%s", err, c.cutsAround(c.sent)))
	c.wake()
}

func (c *conversation) failLocked(err error) {
	if c.fault == nil {
		c.fault = err
	}
}

// wake is called with mu held.
func (c *conversation) wake() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// await returns once reached does, which is called with mu held; a fault ends the
// test.
func (c *conversation) await(what string, reached func() bool) {
	c.t.Helper()
	for {
		c.mu.Lock()
		changed, fault, done := c.changed, c.fault, reached()
		c.mu.Unlock()
		if fault != nil {
			c.t.Fatalf("after %s\n%v", c.state(), fault)
		}
		if done {
			return
		}
		select {
		case <-changed:
		case <-c.ctx.Done():
			c.t.Fatalf("cannot %s: %v, after %s\n%s", what, c.ctx.Err(), c.state(), c.missing())
		}
	}
}

func (c *conversation) awaitArrival() {
	c.t.Helper()
	c.await("see all messages arrive", func() bool {
		a, b := c.sides[0], c.sides[1]
		return a.next == len(b.sent) && b.next == len(a.sent)
	})
}

// missing names the message that each side waits for.
func (c *conversation) missing() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var text string
	for i, side := range c.sides {
		if side == nil || c.sides[1-i] == nil || side.next == len(c.sides[1-i].sent) {
			continue
		}
		number := c.sides[1-i].sent[side.next].number
		text += fmt.Sprintf("%s waits for message %d\n%s", side.user, number, c.cutsAround(number))
	}
	return text
}

// state says how far the conversation has come.
func (c *conversation) state() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	early := 0
	for _, cut := range c.made {
		if !cut.online {
			early++
		}
	}
	text := fmt.Sprintf("%d messages and %d cuts, of which %d met a client that was not online again yet", c.sent, len(c.made), early)
	for _, side := range c.sides {
		if side != nil {
			text += fmt.Sprintf("; %s has sent %d and received %d", side.user, len(side.sent), side.next)
		}
	}
	return text
}
