package main

import (
	"log/slog"
	"net"
	"testing"
)

// 0.0.0.0 is every IPv4 address and no other, for metrics as for clients.
func TestMetricsListenWhereTheSettingsSay(t *testing.T) {
	_, port, err := net.SplitHostPort(freeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"127.0.0.1", "0.0.0.0"} {
		address := net.JoinHostPort(host, port)
		cfg := load(t, t.TempDir(), "listen = ['xmpp://127.0.0.1:0']\nmetrics = '"+address+"'\n", "accounts = 'existing'\n")
		parts, err := build(cfg, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		ops, err := openOperations(t.Context(), parts, cfg, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if got := ops.services[0].listener.Addr().String(); got != address {
			t.Errorf("metrics are at %s, not %s", got, address)
		}
		if err := ops.close(); err != nil {
			t.Error(err)
		}
		if err := parts.close(); err != nil {
			t.Error(err)
		}
	}
}
