package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"testing"
)

const (
	// regulars are clients that are logged in when the node is killed.
	regulars = 8
	// comers log in and out all the time; each does so this often after the kill.
	comers      = 4
	loginsAfter = 5
)

// presented is a token that a client has sent, and whether it was let in. A token
// whose answer was lost is neither admitted nor refused.
type presented struct {
	user, token string
	admitted    bool
}

// visits remembers all tokens of a test.
type visits struct {
	mu  sync.Mutex
	all []presented
}

func (v *visits) add(p presented) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.all = append(v.all, p)
}

// enter logs user in with a token of its own and remembers it. Only a node that is
// lost may keep an honest user out.
func (p *pair) enter(v *visits, to service, user string) (*stream, error) {
	session, err := p.open(to)
	if err != nil {
		return nil, err
	}
	token := p.issuer.token(user)
	err = session.authenticate("X-TOKEN", user, token)
	v.add(presented{user, token, err == nil})
	if err == nil {
		_, err = session.bind()
	}
	if err != nil {
		session.close()
		return nil, err
	}
	return session, nil
}

// persist is enter, again and again until it succeeds.
func (p *pair) persist(v *visits, to service, user string) (*stream, error) {
	for {
		session, err := p.enter(v, to, user)
		var refused saslFailure
		if err == nil || p.ctx.Err() != nil || errors.As(err, &refused) {
			return session, err
		}
	}
}

// killsVariable is how often a node is killed; a kill is met by some 45 logins.
const killsVariable = "XTOKEND_KILLS"

func TestClientsOfAKilledNodeComeBackAtTheOther(t *testing.T) {
	rounds := killsOr(t, 2)
	p := newPair(t)
	for round := range rounds {
		lost, left := p.nodes[round%2], p.nodes[1-round%2]
		ok := t.Run(lost.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
			defer cancel()
			bounded := *p
			bounded.site = p.within(ctx)
			bounded.loseUnderLoad(t, lost, left)
			p.fronts = bounded.fronts // whose logs are looked through at the end
		})
		if !ok {
			return
		}
	}
}

func (p *pair) loseUnderLoad(t *testing.T, lost, left *node) {
	var v visits
	killed := make(chan struct{})
	var staying, coming, entered sync.WaitGroup
	entered.Add(regulars + comers)

	for n := range regulars {
		to, user := p.services[n%len(p.services)], fmt.Sprintf("regular%d", n)
		staying.Go(func() {
			session, err := p.persist(&v, to, user)
			entered.Done()
			if err != nil {
				t.Errorf("%s at %s: %v", user, to.name, err)
				return
			}
			<-killed
			if pinged(session) != nil { // it was at the lost node
				session.close()
				if session, err = p.persist(&v, to, user); err == nil {
					err = pinged(session)
				}
			}
			if err != nil {
				t.Errorf("%s at %s, after the kill: %v", user, to.name, err)
				return
			}
			session.end()
		})
	}
	for n := range comers {
		to, user := p.services[n%len(p.services)], fmt.Sprintf("comer%d", n)
		coming.Go(func() {
			after, first := 0, true
			for after < loginsAfter {
				select {
				case <-killed:
					after++
				default:
				}
				session, err := p.persist(&v, to, user)
				if first {
					entered.Done()
					first = false
				}
				if err != nil {
					t.Errorf("%s at %s: %v", user, to.name, err)
					return
				}
				session.end()
				session.close()
			}
		})
	}
	entered.Wait()
	p.kill(lost)
	close(killed)
	staying.Wait()
	coming.Wait()
	if t.Failed() {
		return
	}

	admitted := 0
	for _, visit := range v.all {
		again, err := 0, error(nil)
		for range 2 {
			if err = p.logInAt(left.service, visit.user, visit.token); err == nil {
				again++
			}
		}
		if visit.admitted {
			admitted++
			again++
		}
		if again > 1 {
			t.Errorf("a token of %s was admitted %d times", visit.user, again)
		}
	}
	t.Logf("%d tokens presented, %d answered by success", len(v.all), admitted)

	// The node comes back, and knows what was used meanwhile.
	p.start(lost)
	last := v.all[len(v.all)-1]
	if err := p.logInAt(lost.service, last.user, last.token); !errors.As(err, new(saslFailure)) {
		t.Errorf("at the node that is back: %v", err)
	}
	if err := p.logInAt(lost.service, "alice", p.issuer.token("alice")); err != nil {
		t.Error(err)
	}
}

// A session that Prosody still has goes on at the other node (XEP-0198 §5).
func TestASessionOfAKilledNodeIsResumedAtTheOther(t *testing.T) {
	p := newPair(t)
	for _, to := range p.services[1:] { // BOSH has nothing of the kind
		t.Run(to.name, func(t *testing.T) {
			offset := p.nodes[0].process.log.Len()
			alice := p.onlineAt("alice", to)
			lost, left := p.nodes[0], p.nodes[1]
			if !bytes.Contains(lost.process.log.Bytes()[offset:], []byte("msg=authenticated")) {
				lost, left = left, lost
			}
			p.kill(lost)
			alice.await("resumed", nil)
			bob := p.mustBind("bob", left.service)
			if err := bob.write("<message xmlns='jabber:client' to='%s'><body>still there?</body></message>", alice.jid); err != nil {
				t.Fatal(err)
			}
			alice.awaitMessage("still there?")
			p.start(lost)
		})
	}
}

// A frozen node still takes connections, by its kernel.
func TestClientsLeaveAFrozenNode(t *testing.T) {
	p := newPair(t)
	var v visits
	p.nodes[0].process.signal(t, syscall.SIGSTOP)
	var logins sync.WaitGroup
	for n := range 2 * len(p.services) {
		to, user := p.services[n%len(p.services)], fmt.Sprintf("user%d", n)
		logins.Go(func() {
			session, err := p.persist(&v, to, user)
			if err != nil {
				t.Errorf("%s at %s: %v", user, to.name, err)
				return
			}
			session.end()
			session.close()
		})
	}
	logins.Wait()
	p.nodes[0].process.signal(t, syscall.SIGCONT)
	if err := p.logInAt(p.nodes[0].service, "alice", p.issuer.token("alice")); err != nil {
		t.Error(err)
	}
}
