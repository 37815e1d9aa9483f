package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mellium.im/xmpp/jid"

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
			served <- serve(ctx, &cfg, slog.New(slog.NewTextHandler(&log, nil)))
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

// What the front would break a connection for, the host refuses: a message that has
// become too long, on its way to a client, say.
func TestHostKeepsTheLimitsOfTheFront(t *testing.T) {
	for name, c := range map[string]struct {
		limits string
		body   int
		want   string
	}{
		"element":                       {"element_bytes = 20000", 18000, "</body>"},
		"element that is too long":      {"element_bytes = 20000", 20000, "<policy-violation "},
		"element to a client":           {"upstream_element_bytes = 20000", 18000, "</body>"},
		"element to a client, too long": {"upstream_element_bytes = 20000", 20000, "<resource-constraint "},
		"depth":                         {"element_depth = 16", 1, "</body>"},
		"element that is too deep":      {"element_depth = 16", -16, "<policy-violation "},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "xtokend.toml")
			text := fmt.Sprintf(`listen = ["xmpp://127.0.0.1:0"]
[[domain]]
name = "example.org"
upstream = "host"
[[domain.key]]
otp_seed = %q
token_secret = %q
[replay]
store = "memory"
[limits]
%s
`, vectorSeed, vectorSecret, c.limits)
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			cfg, err := config.Load(path, config.Options{Need: config.Everything})
			if err != nil {
				t.Fatal(err)
			}
			parts, err := build(&cfg, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			defer parts.close()
			conn, err := parts.hosts["example.org"].Open(t.Context(), jid.MustParse("alice@example.org"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(time.Minute))
			body := strings.Repeat("a", max(c.body, 0)) + strings.Repeat("<a>", max(-c.body, 0)) + strings.Repeat("</a>", max(-c.body, 0))
			io.WriteString(conn, "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='example.org' version='1.0'>"+
				"<iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq><presence/>"+
				"<message to='alice@example.org' type='chat'><body>"+body+"</body></message></stream:stream>")
			var answers watch.Output
			go func() {
				io.Copy(&answers, conn)
				answers.Close()
			}()
			if err := answers.Wait(t.Context(), c.want, 0); err != nil {
				t.Errorf("%v:\n%s", err, answers.Bytes())
			}
		})
	}
}
