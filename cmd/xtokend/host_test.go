package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"xtokend/cmd/xtokend/internal/config"
	"xtokend/internal/watch"
)

// The file of a host is let go at the end: the next start has it.
func TestServeWithHost(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "xtokend.toml")
	text := fmt.Sprintf(`listen = ["xmpp://127.0.0.1:0"]
[[domain]]
name = "example.org"
upstream = "host"
[[domain.key]]
otp_seed = %q
token_secret = %q
[domain.host]
path = "host.db"
rooms = "rooms.example.org"
[replay]
path = "replay.db"
`, vectorSeed, vectorSecret)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(path, config.Options{Need: config.Everything})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		var log watch.Output
		ctx, stop := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() {
			served <- serve(ctx, &cfg, slog.New(slog.NewTextHandler(&log, nil)), func() {})
			log.Close()
		}()
		err := log.Wait(t.Context(), "msg=ready", 0)
		stop()
		if ended := <-served; err != nil || ended != nil {
			t.Fatalf("not ready: %v; ended with %v; log:\n%s", err, ended, log.Bytes())
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "host.db")); err != nil {
		t.Error(err)
	}

	// What the other parts have opened is closed too if the host cannot be made.
	if err := os.WriteFile(filepath.Join(dir, "host.db"), []byte("no database"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := build(&cfg, slog.New(slog.DiscardHandler)); err == nil {
			t.Fatal("a damaged file is taken")
		}
	}
	if err := os.Remove(filepath.Join(dir, "host.db")); err != nil {
		t.Fatal(err)
	}
	parts, err := build(&cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := parts.close(); err != nil {
		t.Error(err)
	}
}
