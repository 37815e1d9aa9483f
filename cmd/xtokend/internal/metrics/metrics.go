// Package metrics counts what the daemon does, for Prometheus, and answers the
// questions of load balancers and supervisors.
//
// No label holds anything of a user or of a peer: neither names nor addresses.
// Each label has few values, all of them our own words or of the settings.
package metrics

import (
	"runtime"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"xtokend/auth/replay"
	"xtokend/component"
)

// Metrics is what was counted since the start. Its methods may be called from
// any goroutine.
type Metrics struct {
	registry *prometheus.Registry
	now      func() time.Time

	logins         *prometheus.CounterVec
	skew           *prometheus.HistogramVec
	keys           *prometheus.CounterVec
	bridges        *prometheus.CounterVec
	store          *prometheus.HistogramVec
	storeFailures  *prometheus.CounterVec
	opening        *prometheus.HistogramVec
	openFailures   *prometheus.CounterVec
	previous       *prometheus.CounterVec
	reloads        *prometheus.CounterVec
	reloadOK       prometheus.Gauge
	reloadAt       prometheus.Gauge
	accepted       atomic.Int64
	refused        atomic.Int64
	storeOutcome   outcome
	upstreamStates outcomes
}

var (
	// skewBuckets are seconds: one for each step up to two, then wider ones.
	skewBuckets = []float64{-300, -150, -90, -60, -30, 0, 30, 60, 90, 150, 300}
	// storeBuckets begin below what a synced write to an SSD takes and end with the
	// time that the front waits.
	storeBuckets = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}
	// openBuckets end with the time that the front waits for the server.
	openBuckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
)

// New returns metrics of a program of that version and commit, "" if unknown. now
// tells the time; nil: time.Now.
func New(version, commit string, now func() time.Time) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), now: now}
	if m.now == nil {
		m.now = time.Now
	}
	m.storeOutcome.now, m.upstreamStates.now = m.now, m.now
	m.logins = m.counter("xtokend_logins_total",
		"Attempts to log in that were answered. Reason ok: the client was let in. An empty mechanism: the client named none that the domain offers.",
		"domain", "mechanism", "transport", "reason")
	m.skew = m.histogram("xtokend_token_skew_seconds",
		"How far the issuer's clock was ahead (+) or behind (-) of ours, for accepted tokens, in whole steps of 30 seconds.", skewBuckets, "domain")
	m.keys = m.counter("xtokend_key_used_total",
		"Accepted tokens by the key that has signed them: its place in the settings, counted from 0.", "domain", "key")
	m.bridges = m.counter("xtokend_issuer_timezone_used_total", "Accepted tokens that only issuer_timezone has admitted.", "domain")
	m.store = m.histogram("xtokend_replay_store_duration_seconds", "Time that the replay store took to answer.", storeBuckets, "operation")
	m.storeFailures = m.counter("xtokend_replay_store_failures_total", "Times that the replay store could not answer, or had no room.", "operation")
	m.opening = m.histogram("xtokend_upstream_open_duration_seconds",
		"Time that opening a user's stream at the server took, the account included.", openBuckets, "domain")
	m.openFailures = m.counter("xtokend_upstream_open_failures_total", "Streams that could not be opened because the server was down or too slow.", "domain")
	m.previous = m.counter("xtokend_previous_account_secret_used_total",
		"Logins to accounts that still had the password of the previous account secret.", "domain")
	m.reloads = m.counter("xtokend_settings_reloads_total", "Times that the settings were read again.", "result")
	m.reloadOK = m.gauge("xtokend_settings_last_reload_successful", "Whether the settings could be used when they were last read (1), or not (0).")
	m.reloadAt = m.gauge("xtokend_settings_last_reload_success_timestamp_seconds", "When settings were last read that could be used.")
	info := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "xtokend_build_info", Help: "What runs; always 1."},
		[]string{"version", "commit", "goversion"})
	info.WithLabelValues(version, commit, runtime.Version()).Set(1)
	m.registry.MustRegister(info, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, operation := range []string{operationUse, operationRevoke} { // alerts need a zero to begin with
		m.storeFailures.WithLabelValues(operation)
	}
	m.reloadOK.Set(1)
	m.reloadAt.Set(float64(m.now().Unix()))
	return m
}

func (m *Metrics) counter(name, help string, labels ...string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	m.registry.MustRegister(c)
	return c
}

func (m *Metrics) histogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
	m.registry.MustRegister(h)
	return h
}

func (m *Metrics) gauge(name, help string) prometheus.Gauge {
	g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	m.registry.MustRegister(g)
	return g
}

// Attempt counts an attempt to log in; it is for [component.Config].Observe.
func (m *Metrics) Attempt(a component.Attempt) {
	m.logins.WithLabelValues(a.Domain, a.Mechanism, a.Transport, a.Reason).Inc()
	if a.Reason != component.ReasonOK {
		m.refused.Add(1)
		return
	}
	m.accepted.Add(1)
	m.skew.WithLabelValues(a.Domain).Observe(float64(a.Acceptance.Skew * replay.StepSeconds))
	m.keys.WithLabelValues(a.Domain, strconv.Itoa(a.Acceptance.Key)).Inc()
	if a.Acceptance.Bridge {
		m.bridges.WithLabelValues(a.Domain).Inc()
	}
}

// Logins are the attempts since the start.
func (m *Metrics) Logins() (accepted, refused int64) { return m.accepted.Load(), m.refused.Load() }

// Forget leaves out what was counted for a domain that is served no more. If it
// comes back, it begins with nothing.
func (m *Metrics) Forget(domain string) {
	m.ForgetKeys(domain)
	of := prometheus.Labels{"domain": domain}
	for _, v := range []*prometheus.CounterVec{m.logins, m.bridges, m.openFailures, m.previous} {
		v.DeletePartialMatch(of)
	}
	for _, v := range []*prometheus.HistogramVec{m.skew, m.opening} {
		v.DeletePartialMatch(of)
	}
	m.upstreamStates.forget(domain)
}

// ForgetKeys has the use of a domain's keys counted anew: their places in the
// settings may be other ones.
func (m *Metrics) ForgetKeys(domain string) {
	m.keys.DeletePartialMatch(prometheus.Labels{"domain": domain})
}

// PreviousSecret returns what to call at each login with a password of the account
// secret that is being replaced.
func (m *Metrics) PreviousSecret(domain string) func() {
	return func() { m.previous.WithLabelValues(domain).Inc() }
}

// Reloaded counts that the settings were read again, and whether they could be
// used.
func (m *Metrics) Reloaded(ok bool) {
	if !ok {
		m.reloads.WithLabelValues("refused").Inc()
		m.reloadOK.Set(0)
		return
	}
	m.reloads.WithLabelValues("ok").Inc()
	m.reloadOK.Set(1)
	m.reloadAt.Set(float64(m.now().Unix()))
}
