package main

import (
	"time"

	"xtokend/bench/result"
)

// reading is what all clocks show at a moment.
type reading struct {
	at      time.Time
	servers []time.Duration // CPU time of each -pid
	own     time.Duration
	machine time.Duration
}

func (c *config) readClocks() (r reading, err error) {
	for _, pid := range c.pids {
		used, err := cpuOf(pid)
		if err != nil {
			return r, err
		}
		r.servers = append(r.servers, used)
	}
	if r.own, err = ownCPU(); err != nil {
		return r, err
	}
	r.machine, err = machineCPU()
	r.at = time.Now()
	return r, err
}

// report is what n things between two readings have cost.
func report(from, to reading, n int) *result.Run {
	elapsed := to.at.Sub(from.at)
	each := func(cpu time.Duration) float64 { return cpu.Seconds() * 1000 / float64(max(n, 1)) }
	run := &result.Run{
		Seconds:   elapsed.Seconds(),
		Count:     n,
		PerSecond: float64(n) / elapsed.Seconds(),
		ClientCPU: each(to.own - from.own),
	}
	others := to.machine - from.machine - (to.own - from.own)
	for i, used := range to.servers {
		cpu := used - from.servers[i]
		others -= cpu
		run.Servers = append(run.Servers, result.Process{CPU: each(cpu), Cores: cpu.Seconds() / elapsed.Seconds()})
	}
	run.OtherCores = max(0, others.Seconds()/elapsed.Seconds())
	return run
}
