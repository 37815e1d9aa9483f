package main

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"xtokend/bench/result"
)

const (
	pingTimeout = 10 * time.Second // for all sessions to answer
	pingPause   = 200 * time.Microsecond
	afterClose  = 3 * time.Second // for a server to give memory back
)

// idlers are sessions that say nothing.
type idlers struct {
	cfg     *config
	mu      sync.Mutex
	clients []*client
	failed  failures
	open    atomic.Int64
	pongs   chan struct{}
	readers sync.WaitGroup
}

func runIdle(cfg *config) (*result.Run, error) {
	if cfg.transport == "bosh" {
		return nil, errors.New("a client of BOSH is never idle")
	}
	memory := make([]result.Memory, len(cfg.pids))
	// look reads the memory of each server into one of its fields.
	look := func(field func(*result.Memory) *int64) error {
		for i, pid := range cfg.pids {
			resident, err := residentOf(pid)
			if err != nil {
				return err
			}
			*field(&memory[i]) = resident
		}
		return nil
	}
	s := &idlers{cfg: cfg, pongs: make(chan struct{}, cfg.before+cfg.n)}
	defer s.close()
	if cfg.before > 0 {
		s.openAll(cfg.before)
		time.Sleep(cfg.hold)
	}
	before := len(s.clients)
	err := look(func(m *result.Memory) *int64 { return &m.Before })
	if err != nil {
		return nil, err
	}
	from, err := cfg.readClocks()
	if err != nil {
		return nil, err
	}
	s.openAll(cfg.n)
	to, err := cfg.readClocks()
	if err != nil {
		return nil, err
	}
	run := report(from, to, len(s.clients)-before)
	run.Idle = &result.Idle{Hold: cfg.hold.Seconds(), Memory: memory}
	if err := look(func(m *result.Memory) *int64 { return &m.Opened }); err != nil {
		return nil, err
	}
	if err := s.hold(run.Idle); err != nil {
		return nil, err
	}
	if err := look(func(m *result.Memory) *int64 { return &m.Held }); err != nil {
		return nil, err
	}
	run.Idle.AnsweredPing = s.ping()
	if err := look(func(m *result.Memory) *int64 { return &m.Pinged }); err != nil {
		return nil, err
	}
	s.close()
	time.Sleep(afterClose)
	if err := look(func(m *result.Memory) *int64 { return &m.Closed }); err != nil {
		return nil, err
	}
	for i := range memory {
		memory[i].PerSession = (memory[i].Held - memory[i].Before) / int64(max(run.Count, 1))
	}
	run.Errors = s.failed.counts()
	return run, nil
}

// openAll logs in n more at the rate, and has a reader for each session.
func (s *idlers) openAll(n int) {
	first := len(s.clients)
	due := time.NewTicker(time.Duration(float64(time.Second) / s.cfg.rate))
	defer due.Stop()
	var workers sync.WaitGroup
	var next atomic.Int64
	for range s.cfg.workers {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				<-due.C
				c, err := login(s.cfg, s.cfg.user(first+int(i)))
				if err != nil {
					s.failed.add(kind(err))
					continue
				}
				c.setDeadline(time.Time{})
				s.mu.Lock()
				s.clients = append(s.clients, c)
				s.mu.Unlock()
				s.open.Add(1)
				s.readers.Go(func() { s.read(c) })
			}
		})
	}
	workers.Wait()
}

// read counts answers to the ping until the session ends.
func (s *idlers) read(c *client) {
	defer s.open.Add(-1)
	for {
		element, err := c.read()
		if err != nil {
			return
		}
		if name(element) == "iq" && attr(element, "id") == "p" {
			s.pongs <- struct{}{}
		}
	}
}

func (s *idlers) hold(idle *result.Idle) error {
	from, err := s.cfg.readClocks()
	if err != nil {
		return err
	}
	time.Sleep(s.cfg.hold)
	to, err := s.cfg.readClocks()
	if err != nil {
		return err
	}
	for _, p := range report(from, to, 1).Servers {
		idle.Cores += p.Cores
	}
	idle.Open = s.open.Load()
	return nil
}

// ping is how many sessions have answered.
func (s *idlers) ping() int {
	for _, c := range s.clients {
		if err := c.ping("p"); err != nil {
			s.failed.add("ping: " + kind(err))
		}
		time.Sleep(pingPause)
	}
	patience := time.After(pingTimeout)
	for answered := range s.clients {
		select {
		case <-s.pongs:
		case <-patience:
			return answered
		}
	}
	return len(s.clients)
}

// close ends all sessions in good order.
func (s *idlers) close() {
	for _, c := range s.clients {
		c.setDeadline(time.Now().Add(closeTimeout))
		if err := c.sayEnd(); err != nil {
			s.failed.add("close: " + kind(err))
		}
	}
	s.readers.Wait()
	for _, c := range s.clients {
		c.abort()
	}
	s.clients = nil
}
