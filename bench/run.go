package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"xtokend/bench/result"
)

const (
	warmup  = 700 * time.Millisecond
	sources = 16 // addresses that clients come from
)

// notHere is why a subject cannot be measured on this machine.
type notHere string

func (e notHere) Error() string { return string(e) }

// key says what was measured.
type key struct {
	Work    string
	Part    string // of a work that has several; else empty
	Subject subject
}

// store holds what the runs gave. An index is a round in all of them; of a run that failed
// there is nil.
type store struct {
	runs     map[key][]*result.Run
	missing  map[subject]string // why it is not here
	failures []string

	benchmarks map[benchmarkUnit][]float64
	order      []benchmarkUnit // as they came
}

func newStore() *store {
	return &store{
		runs:       make(map[key][]*result.Run),
		missing:    make(map[subject]string),
		benchmarks: make(map[benchmarkUnit][]float64),
	}
}

// runWorks makes all rounds of each work before the next. It fails when ctx ends.
func runWorks(ctx context.Context, l *lab, o options, works []work, to *store) error {
	for _, w := range works {
		rounds := o.rounds
		if w.once {
			rounds = 1
		}
		for round := range rounds {
			for _, s := range w.subjects {
				if _, missing := to.missing[s]; missing {
					continue
				}
				at := &stage{ctx: ctx, lab: l, options: o, work: w, subject: s, store: to,
					title: fmt.Sprintf("%s %d/%d", w.name, round+1, rounds)}
				err := at.perform()
				var reason notHere
				switch {
				case ctx.Err() != nil:
					return ctx.Err()
				case errors.As(err, &reason):
					to.missing[s] = reason.Error()
					fmt.Printf("%-22s %-34s not measured here: %s\n", at.title, s, reason)
				case err != nil:
					to.failures = append(to.failures, fmt.Sprintf("%s, %s: %v", at.title, s, err))
					to.add(key{w.name, "", s}, nil)
					fmt.Printf("%-22s %-34s failed: %v\n", at.title, s, err)
				}
			}
		}
	}
	return nil
}

func (s *store) add(k key, run *result.Run) { s.runs[k] = append(s.runs[k], run) }

// stage is one subject at one work in one round.
type stage struct {
	ctx     context.Context
	lab     *lab
	options options
	work    work
	subject subject
	store   *store
	title   string
	target  *target
}

// perform makes the runs with fresh processes.
func (s *stage) perform() error {
	var err error
	if s.target, err = s.lab.start(s.ctx, s.subject); err != nil {
		return err
	}
	defer func() { s.target.stop() }()
	if s.work.do != nil {
		return s.work.do(s)
	}
	return s.run("", s.work.mode, s.work.flags...)
}

// renewServer starts what is behind xtokend anew, if there is something.
func (s *stage) renewServer() error {
	server := s.lab.servers[directSubject]
	if s.subject != frontSubject {
		return nil
	}
	if err := server.Kill(); err != nil {
		return err
	}
	if err := server.Restart(s.ctx); err != nil {
		return err
	}
	s.target.pids[1] = server.PID()
	metrics := s.lab.fronts[s.subject].Metrics
	return await(s.ctx, nil, answersOK("http://"+metrics+"/readyz"))
}

// run runs the load generator once.
func (s *stage) run(part, mode string, flags ...string) error {
	address, ok := s.target.addresses[s.work.transport]
	if !ok {
		return fmt.Errorf("no %s there", s.work.transport)
	}
	var pids []string
	for _, pid := range s.target.pids {
		pids = append(pids, strconv.Itoa(pid))
	}
	args := []string{mode, "-domain", domain, "-transport", s.work.transport, "-addr", address,
		"-sources", strconv.Itoa(sources), "-pid", strings.Join(pids, ","),
		"-warmup", warmup.String(), "-duration", s.options.duration.String()}
	args = append(append(args, s.target.client...), flags...)
	generator := exec.CommandContext(s.ctx, s.lab.programs.loadgen, args...)
	var errs bytes.Buffer
	generator.Stderr = &errs
	out, err := generator.Output()
	if err != nil {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(errs.String()))
	}
	run := &result.Run{}
	if err := json.Unmarshal(out, run); err != nil {
		return fmt.Errorf("the load generator: %w", err)
	}
	if run.Count == 0 {
		return fmt.Errorf("nothing was done: %v", run.Errors)
	}
	s.store.add(key{s.work.name, part, s.subject}, run)
	if faults := s.faults(run); faults != "" {
		s.store.failures = append(s.store.failures, fmt.Sprintf("%s, %s: %s", strings.TrimSpace(s.title+" "+part), s.subject, faults))
	}
	fmt.Printf("%-22s %-34s %s\n", strings.TrimSpace(s.title+" "+part), s.subject, summary(run))
	return nil
}

// faults says what went wrong in a run that gave figures all the same. Of a storm the rows
// themselves tell it.
func (s *stage) faults(run *result.Run) string {
	if s.work.name == "storm" {
		return ""
	}
	if i := run.Idle; i != nil && (i.Open < int64(run.Count) || i.AnsweredPing < run.Count) {
		return fmt.Sprintf("of %d sessions %d were open in the end, and %d answered a ping", run.Count, i.Open, i.AnsweredPing)
	}
	return wrong([]*result.Run{run})
}

// summary is a run in a line of progress.
func summary(r *result.Run) string {
	text := fmt.Sprintf("%8.0f/s  p50 %7.3f ms  CPU %.4f ms", r.PerSecond, r.Latency.P50, r.Servers[0].CPU)
	if len(r.Servers) > 1 {
		text += fmt.Sprintf(" of %.4f", r.CPU())
	}
	if r.Idle != nil {
		text += fmt.Sprintf("  %d bytes/session", r.Idle.Memory[0].PerSession)
	}
	text += fmt.Sprintf("  others %.2f", r.OtherCores)
	if len(r.Errors) > 0 {
		text += fmt.Sprintf("  errors %v", r.Errors)
	}
	return text
}
