package metrics

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
)

func (m *Metrics) Gatherer() prometheus.Gatherer { return m.registry }

func (s *Server) Handler() http.Handler { return http.HandlerFunc(s.serve) }
