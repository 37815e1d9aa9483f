package main

import (
	"maps"
	"time"

	"xtokend/cmd/xtokend/internal/metrics"
)

// watch has the metrics include what the parts and operations know of themselves.
func (p *parts) watch(o *operations) {
	p.metrics.Watch(metrics.Sources{
		Stats:             p.front.Stats,
		Limits:            p.limitsReached,
		Panics:            func() int64 { return p.front.Panics() + p.web.Panics() + o.panics() },
		Links:             p.linksUp,
		Domains:           p.domains,
		CertificateExpiry: p.certificateExpiry,
		Draining:          p.front.Draining,
	})
}

func (p *parts) limitsReached() map[string]int64 {
	counts := make(map[string]int64)
	maps.Copy(counts, p.front.LimitsReached())
	for limit, n := range p.web.LimitsReached() {
		counts[limit] += n
	}
	return counts
}

// certificateExpiry is that of the certificate as the next client gets it.
func (p *parts) certificateExpiry() time.Time {
	certificate := p.current().certificate
	if certificate == nil {
		return time.Time{}
	}
	pair, err := certificate.get(nil)
	if err != nil || pair.Leaf == nil {
		return time.Time{}
	}
	return pair.Leaf.NotAfter
}

// domains are those that are served now, in the order of the settings.
func (p *parts) domains() []string {
	var names []string
	for _, d := range p.current().cfg.Domains {
		names = append(names, d.Name)
	}
	return names
}

// linksUp says of each domain that has a component link whether it is connected.
func (p *parts) linksUp() map[string]bool {
	up := make(map[string]bool)
	for _, l := range p.links() {
		up[l.Domain()] = l.Up()
	}
	return up
}
