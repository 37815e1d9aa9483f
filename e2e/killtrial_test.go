package e2e

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	loginsPerFault  = 50
	faultWorkers    = 5 // who log in at the same time
	unusedPerFault  = 3
	momentsPerLogin = 4
)

// trial is a token and what has come of it.
type trial struct {
	user, token string
	presented   bool // in the round, by who logs in
	// first is the answer then: nil, a saslFailure, or another error for none.
	first error
	again []error // the answers since
}

func (tr *trial) refusedAtFirst() bool { return errors.As(tr.first, new(saslFailure)) }

// accepted is how often the token has been.
func (tr *trial) accepted() int {
	accepted := 0
	if tr.presented && tr.first == nil {
		accepted++
	}
	for _, err := range tr.again {
		if err == nil {
			accepted++
		}
	}
	return accepted
}

var errExpired = saslFailure("credentials-expired")

// expired tells whether the token was presented again too late.
func (tr *trial) expired() bool { return len(tr.again) > 0 && errors.Is(tr.again[0], errExpired) }

// fresh is a token that is part of the round.
func (o *ordeal) fresh(user string) *trial {
	tr := &trial{user: user, token: o.token(user)}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.round = append(o.round, tr)
	return tr
}

func (o *ordeal) token(user string) string {
	return o.s.issuer.issue(request{Authcid: user, Domain: domain, Ahead: o.ahead})
}

// moment counts a step of a login.
func (o *ordeal) moment() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.moments++; o.moments == o.last {
		close(o.struck)
	}
}

// work logs in again and again. Who is cut off waits until the fault is over.
func (o *ordeal) work(worker int) {
	services := o.s.allServices()
	for n := range loginsPerFault / faultWorkers {
		tr := o.fresh(fmt.Sprintf("user%d", worker))
		o.logIn(services[(worker+n)%len(services)], tr)
		if tr.presented && tr.first == nil || tr.refusedAtFirst() {
			continue
		}
		select {
		case <-o.struck:
		default:
			o.t.Errorf("a connection was lost while nothing was wrong: %v", tr.first)
		}
		<-o.mended
	}
}

// logIn is site.logInAt in steps, which goes on whatever happens meanwhile.
func (o *ordeal) logIn(to service, tr *trial) {
	defer o.moment()
	o.moment()
	stream, err := o.s.open(to)
	if err != nil {
		tr.first = err
		return
	}
	defer stream.close()
	o.moment()
	tr.presented = true
	tr.first = stream.authenticate("X-TOKEN", tr.user, tr.token)
	o.moment()
	if tr.first == nil {
		if _, err := stream.bind(); err == nil {
			stream.end() // a session over BOSH would stay
		}
	}
}

// quick is the service where tokens are presented again: it costs the least.
func (o *ordeal) quick() service { return o.s.service("ws") }

// present presents a token once more and returns the answer.
func (o *ordeal) present(user, token string) error {
	stream, err := o.s.open(o.quick())
	if err != nil {
		return err
	}
	defer stream.close()
	return stream.authenticate("X-TOKEN", user, token)
}

// presentAll presents each token of the round once more.
func (o *ordeal) presentAll() {
	tokens := make(chan *trial)
	var workers sync.WaitGroup
	for range faultWorkers {
		workers.Go(func() {
			for tr := range tokens {
				tr.again = append(tr.again, o.present(tr.user, tr.token))
			}
		})
	}
	for _, tr := range o.round {
		tokens <- tr
	}
	close(tokens)
	workers.Wait()
}

// awaitRefusal presents new tokens until one is refused as temporary, which must
// happen soon if certain, and returns whether it did.
func (o *ordeal) awaitRefusal(certain bool) bool {
	o.t.Helper()
	const most = 100
	for range most {
		tr := o.fresh("latecomer")
		tr.presented = true
		tr.first = o.present(tr.user, tr.token)
		switch {
		case errors.Is(tr.first, saslFailure("temporary-auth-failure")):
			return true
		case tr.first != nil:
			o.t.Fatalf("while the store fails: %v", tr.first)
		}
	}
	if certain {
		o.t.Fatal("tokens are accepted although the store fails")
	}
	return false
}

// awaitAdmission presents new tokens until one is accepted. Until then they are
// refused as temporary.
func (o *ordeal) awaitAdmission() {
	o.t.Helper()
	again := time.NewTicker(time.Second)
	defer again.Stop()
	for {
		tr := o.fresh("patient")
		tr.presented = true
		tr.first = o.present(tr.user, tr.token)
		if tr.first == nil {
			return
		}
		if !errors.Is(tr.first, saslFailure("temporary-auth-failure")) {
			o.t.Fatalf("before logins work again: %v", tr.first)
		}
		select {
		case <-again.C:
		case <-o.s.ctx.Done():
			o.t.Fatal("logins do not work again")
		}
	}
}

// judge says what must not have come of a token.
func (o *ordeal) judge(f mishap) {
	for _, tr := range o.round {
		accepted := tr.accepted()
		if accepted > 1 {
			o.t.Errorf("a token was accepted %d times: at first %v, then %v", accepted, tr.first, tr.again)
		}
		if accepted == 0 && !tr.presented && !f.forgets && !tr.expired() {
			o.t.Errorf("a token that nobody had used was refused: %v", tr.again)
		}
		answers := tr.again
		if tr.refusedAtFirst() {
			answers = append(answers[:len(answers):len(answers)], tr.first)
		}
		for _, err := range answers {
			if err != nil && !o.mayAnswer(f, err) {
				o.t.Errorf("a token was answered by %v", err)
			}
		}
		o.count(tr)
	}
}

// mayAnswer tells whether a token may be refused that way.
func (o *ordeal) mayAnswer(f mishap, err error) bool {
	switch {
	case errors.Is(err, saslFailure("not-authorized")): // used before
		return true
	case errors.Is(err, saslFailure("temporary-auth-failure")):
		return f.name != "killed"
	}
	return errors.Is(err, errExpired) && o.ahead > 0 // where the window is not wide
}

func (o *ordeal) count(tr *trial) {
	if !tr.presented {
		return
	}
	o.presented++
	switch {
	case tr.first == nil:
		o.admitted++
		return
	case tr.refusedAtFirst():
		o.unavailable++
	default:
		o.unanswered++
	}
	o.late += tr.accepted()
}
