package main

import (
	"maps"
	"time"

	"xtokend/cmd/xtokend/internal/metrics"
)

// watch has the metrics include what the parts know of themselves.
func (p *parts) watch() {
	p.metrics.Watch(metrics.Sources{
		Stats:             p.front.Stats,
		Limits:            p.limitsReached,
		Panics:            p.panics,
		Links:             p.linksUp,
		Domains:           p.domains,
		CertificateExpiry: p.certificateExpiry,
		Draining:          p.front.Draining,
	})
}

func (p *parts) limitsReached() map[string]int64 {
	counts := make(map[string]int64)
	maps.Copy(counts, p.front.LimitsReached())
	if p.web != nil {
		for limit, n := range p.web.LimitsReached() {
			counts[limit] += n
		}
	}
	return counts
}

func (p *parts) panics() int64 {
	n := p.front.Panics()
	if p.web != nil {
		n += p.web.Panics()
	}
	return n
}

// certificateExpiry is that of the certificate as the next client gets it.
func (p *parts) certificateExpiry() time.Time {
	if p.certificate == nil {
		return time.Time{}
	}
	pair, err := p.certificate.get(nil)
	if err != nil || pair.Leaf == nil {
		return time.Time{}
	}
	return pair.Leaf.NotAfter
}

// domains are those that are served now, in the order of the settings.
func (p *parts) domains() []string {
	var names []string
	for i := range p.cfg.Domains {
		names = append(names, p.cfg.Domains[i].Name)
	}
	return names
}

// linksUp says of each domain that has a component link whether it is connected.
func (p *parts) linksUp() map[string]bool {
	up := make(map[string]bool)
	for _, l := range p.links {
		up[l.Domain()] = l.Up()
	}
	return up
}
