package metrics

import (
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"xtokend/component"
)

// Sources are asked when metrics are read. All must be set.
type Sources struct {
	// Stats are those of the front.
	Stats func() component.Stats
	// Limits counts by their names how often limits have turned somebody away.
	Limits func() map[string]int64
	// Panics counts sessions and requests that a fault in the program has ended.
	Panics func() int64
	// Links says for each domain that has a component link whether it is up.
	Links func() map[string]bool
	// Domains are those that are served now.
	Domains func() []string
	// CertificateExpiry is when the certificate expires that is shown to clients;
	// the zero time without one.
	CertificateExpiry func() time.Time
	// Draining says whether nobody new is let in.
	Draining func() bool
}

// Watch has the metrics include what the sources say. It must be called once.
func (m *Metrics) Watch(s Sources) {
	m.registry.MustRegister(&collector{metrics: m, sources: s, seen: make(map[component.SessionKind]bool)})
}

var (
	sessions        = describe("xtokend_sessions", "Sessions that have logged in.", "domain", "transport")
	unauthenticated = describe("xtokend_unauthenticated_sessions", "Sessions that have not logged in yet.")
	relayed         = describe("xtokend_relayed_bytes_total", "Bytes that have passed after a login.", "direction")
	limits          = describe("xtokend_limit_reached_total", "Times that a limit has turned somebody away or ended a session.", "limit")
	panics          = describe("xtokend_panics_total", "Sessions and requests that a fault in the program has ended.")
	links           = describe("xtokend_component_link_up", "Whether the component link is connected (1), or not (0).", "domain")
	upstreams       = describe("xtokend_upstream_up", "Whether the server has answered when a stream was last opened (1), or not (0). Absent before the first.", "domain")
	storeUp         = describe("xtokend_replay_store_up", "Whether the replay store has answered when it was last asked (1), or not (0). Absent before the first time.")
	expiry          = describe("xtokend_certificate_expiry_timestamp_seconds", "When the certificate expires that is shown to clients.")
	draining        = describe("xtokend_draining", "Whether nobody new is let in (1).")
)

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// collector turns what its sources say into metrics.
type collector struct {
	metrics *Metrics
	sources Sources

	mu   sync.Mutex
	seen map[component.SessionKind]bool // a kind of which no session is left is 0, and not absent
}

// Describe implements [prometheus.Collector].
func (*collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{sessions, unauthenticated, relayed, limits, panics, links, upstreams, storeUp, expiry, draining} {
		to <- d
	}
}

// Collect implements [prometheus.Collector].
func (c *collector) Collect(to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v int64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	stats := c.sources.Stats()
	domains := c.sources.Domains()
	for kind, n := range c.withSeen(stats.Sessions, domains) {
		gauge(sessions, float64(n), kind.Domain, kind.Transport)
	}
	gauge(unauthenticated, float64(stats.Unauthenticated))
	counter(relayed, stats.FromClient, "from_client")
	counter(relayed, stats.ToClient, "to_client")
	for limit, n := range c.sources.Limits() {
		counter(limits, n, limit)
	}
	counter(panics, c.sources.Panics())
	for domain, up := range c.sources.Links() {
		gauge(links, oneIf(up), domain)
	}
	for _, domain := range domains {
		if ok, asked := c.metrics.upstreamStates.of(domain).last(); asked {
			gauge(upstreams, oneIf(ok), domain)
		}
	}
	if ok, asked := c.metrics.storeOutcome.last(); asked {
		gauge(storeUp, oneIf(ok))
	}
	if at := c.sources.CertificateExpiry(); !at.IsZero() {
		gauge(expiry, float64(at.Unix()))
	}
	gauge(draining, oneIf(c.sources.Draining()))
}

// withSeen adds the kinds of the domains served now that had sessions before.
func (c *collector) withSeen(now map[component.SessionKind]int, domains []string) map[component.SessionKind]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	for kind := range now {
		c.seen[kind] = true
	}
	for kind := range c.seen {
		if slices.Contains(domains, kind.Domain) {
			now[kind] += 0
		} else if now[kind] == 0 {
			delete(c.seen, kind)
			delete(now, kind)
		}
	}
	return now
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
