// Package result is what the load generator has measured in one run, as it writes it
// in JSON. Milliseconds are of time or of CPU time (user and system, all threads).
package result

import (
	"math"
	"slices"
	"time"
)

// Run is one run of the load generator. What its mode does not measure is zero.
type Run struct {
	Mode      string `json:"mode"` // login, relay, idle or storm
	Transport string `json:"transport"`
	Mechanism string `json:"mechanism"`
	TLS       string `json:"tls,omitempty"` // version; empty: in clear

	Seconds   float64 `json:"seconds"`    // length of what was measured
	Count     int     `json:"count"`      // logins, messages or sessions in it
	PerSecond float64 `json:"per_second"` // of them
	// Latency is that of a login, from the connect to the bound address, or of a
	// message one way.
	Latency Latency `json:"latency_ms"`
	Phases  *Phases `json:"phase_p50_ms,omitempty"` // of a login

	ClientCPU float64   `json:"client_cpu_ms"` // for each of Count, the load generator's own
	Servers   []Process `json:"servers"`       // in the order in which they were named
	// OtherCores is how many cores all other processes of the machine kept busy:
	// large values spoil a measurement.
	OtherCores float64 `json:"other_cores_busy"`

	Lost   int64          `json:"lost,omitempty"`   // messages
	Errors map[string]int `json:"errors,omitempty"` // by kind
	Idle   *Idle          `json:"idle,omitempty"`
}

// Process is one that serves, or helps to.
type Process struct {
	CPU   float64 `json:"cpu_ms"`     // for each of Count
	Cores float64 `json:"cores_busy"` // CPU time over time
}

// Latency has percentiles, in milliseconds.
type Latency struct {
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// Phases are the medians of a login's parts, in milliseconds: to the connection, then
// to the features that a client authenticates on, to the SASL success, to the bound address.
type Phases struct {
	Connect  float64 `json:"connect"`
	Features float64 `json:"features"`
	Auth     float64 `json:"auth"`
	Bind     float64 `json:"bind"`
}

// Idle is what sessions cost that do nothing.
type Idle struct {
	Hold         float64  `json:"hold_s"`
	Open         int64    `json:"open_after_hold"` // sessions
	AnsweredPing int      `json:"answered_ping"`   // sessions
	Cores        float64  `json:"cores_busy"`      // of all servers, while the sessions were held
	Memory       []Memory `json:"memory"`          // of each server
}

// Memory is the resident set of a process, in bytes, at the stages of a mode idle.
type Memory struct {
	Before     int64 `json:"before"`
	Opened     int64 `json:"opened"` // when the last session was
	Held       int64 `json:"held"`
	Pinged     int64 `json:"pinged"`
	Closed     int64 `json:"closed"`      // 3 s after all sessions
	PerSession int64 `json:"per_session"` // what held is above before, for each session
}

// CPU is that of all servers together, for each of Count.
func (r *Run) CPU() float64 {
	var sum float64
	for _, p := range r.Servers {
		sum += p.CPU
	}
	return sum
}

// NewLatency sorts the durations. Of none all percentiles are 0.
func NewLatency(d []time.Duration) Latency {
	slices.Sort(d)
	return Latency{P50: percentile(d, 50), P95: percentile(d, 95), P99: percentile(d, 99), Max: percentile(d, 100)}
}

// percentile is the nearest-rank one of sorted durations, in milliseconds.
func percentile(sorted []time.Duration, p float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	rank := int(math.Ceil(p / 100 * float64(len(sorted))))
	return float64(sorted[max(rank, 1)-1]) / float64(time.Millisecond)
}
