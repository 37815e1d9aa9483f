package main

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"xtokend/bench/result"
)

const (
	// stampBytes is the length of a message's time, which its body begins with behind stampMark.
	stampBytes = 19
	stampMark  = "<body>T"
	// stall is how long a pair waits for a message before it counts it as lost.
	stall = 5 * time.Second
	// stragglers is how long messages are waited for after the last one was sent.
	stragglers = 2 * time.Second
)

// relay is what all pairs share.
type relay struct {
	cfg       *config
	base      time.Time
	measuring atomic.Bool
	stop      atomic.Bool
	sent, got atomic.Int64
	counted   atomic.Int64 // of got, those that are measured
	failed    failures

	mu      sync.Mutex
	latency []time.Duration
}

// pair is two users of whom one sends the other messages.
type pair struct {
	*relay
	from, to *client
	window   chan struct{} // holds one for each message that may be sent
}

func runRelay(cfg *config) (*result.Run, error) {
	if cfg.transport == "bosh" {
		return nil, fmt.Errorf("a client of BOSH cannot read and write at a time here")
	}
	r := &relay{cfg: cfg, base: time.Now()}
	var pairs []*pair
	defer func() {
		for _, p := range pairs {
			p.abort()
		}
	}()
	for i := range cfg.workers {
		p, err := r.newPair(i)
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, p)
	}
	var senders, readers sync.WaitGroup
	for _, p := range pairs {
		readers.Go(p.hear)
		readers.Go(p.receive)
		senders.Go(p.send)
	}
	time.Sleep(cfg.warmup)
	from, err := cfg.readClocks()
	if err == nil {
		r.measuring.Store(true)
		time.Sleep(cfg.duration)
	}
	r.measuring.Store(false)
	to, errTo := cfg.readClocks()
	r.stop.Store(true)
	senders.Wait()
	r.awaitStragglers()
	for _, p := range pairs {
		p.abort()
	}
	readers.Wait()
	if err == nil {
		err = errTo
	}
	if err != nil {
		return nil, err
	}
	run := report(from, to, int(r.counted.Load()))
	run.Latency = result.NewLatency(r.latency)
	run.Lost = r.sent.Load() - r.got.Load()
	run.Errors = r.failed.counts()
	return run, nil
}

func (r *relay) newPair(i int) (*pair, error) {
	from, err := login(r.cfg, r.cfg.user(2*i))
	if err != nil {
		return nil, err
	}
	to, err := login(r.cfg, r.cfg.user(2*i+1))
	if err != nil {
		from.abort()
		return nil, err
	}
	end := time.Now().Add(r.cfg.warmup + r.cfg.duration + 30*time.Second)
	from.setDeadline(end)
	to.setDeadline(end)
	p := &pair{relay: r, from: from, to: to, window: make(chan struct{}, r.cfg.window)}
	for range r.cfg.window {
		p.window <- struct{}{}
	}
	return p, nil
}

func (p *pair) abort() {
	p.from.abort()
	p.to.abort()
}

func (r *relay) awaitStragglers() {
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	patience := time.After(stragglers)
	for r.got.Load() < r.sent.Load() {
		select {
		case <-again.C:
		case <-patience:
			return
		}
	}
}

// send sends as much as the window allows.
func (p *pair) send() {
	head := fmt.Sprintf("<message type='%s' xmlns='jabber:client' to='%s' id='m", p.cfg.messageType, p.to.jid)
	fill := strings.Repeat("x", max(0, p.cfg.body-stampBytes-1))
	lost := time.NewTimer(stall)
	defer lost.Stop()
	var message []byte
	for !p.stop.Load() {
		lost.Reset(stall)
		select {
		case <-p.window:
		case <-lost.C:
			p.failed.add("no message for 5 s")
		}
		message = append(append(message[:0], head...), strconv.FormatInt(p.sent.Add(1), 10)...)
		message = fmt.Appendf(message, "'>%s%0*d%s</body></message>", stampMark, stampBytes, time.Since(p.base), fill)
		if err := p.from.send(message); err != nil {
			p.failed.add("send: " + kind(err))
			return
		}
	}
}

// receive measures what comes.
func (p *pair) receive() {
	var mine []time.Duration
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.latency = append(p.latency, mine...)
	}()
	for {
		element, err := p.to.read()
		if err != nil {
			p.end("receive: ", err)
			return
		}
		now := time.Since(p.base)
		sent, ok := stamp(element)
		if !ok {
			continue
		}
		p.got.Add(1)
		if p.measuring.Load() {
			p.counted.Add(1)
			mine = append(mine, now-sent)
		}
		select {
		case p.window <- struct{}{}:
		default: // it was given up as lost
		}
	}
}

// hear reads what the sender is told: refusals.
func (p *pair) hear() {
	for {
		element, err := p.from.read()
		if err != nil {
			p.end("send: ", err)
			return
		}
		if attr(element, "type") == "error" {
			p.failed.add("refused: " + condition(element))
		}
	}
}

// end notes why a reader ended, unless everything does.
func (p *pair) end(who string, err error) {
	if !p.stop.Load() {
		p.failed.add(who + kind(err))
	}
}

// stamp is when a message was sent, after base.
func stamp(message []byte) (time.Duration, bool) {
	_, body, found := bytes.Cut(message, []byte(stampMark))
	if !found || len(body) < stampBytes {
		return 0, false
	}
	nanoseconds, err := strconv.ParseInt(string(body[:stampBytes]), 10, 64)
	return time.Duration(nanoseconds), err == nil
}
