package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"

	"xtokend/cmd/xtokend/internal/config"
)

// serve runs the daemon with settings that are never read again.
func serve(ctx context.Context, cfg *config.Config, log *slog.Logger) error {
	return (&daemon{log: log, stopping: func() {}}).serve(ctx, cfg)
}

// An order to stop that comes while the links are awaited is obeyed, and nobody
// is told that clients are served.
func TestStopDuringTheStart(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	cfg := load(t, t.TempDir(), "listen = ['xmpp://127.0.0.1:0']\n",
		fmt.Sprintf("[domain.component]\naddress = %q\nname = 'xtoken.example.org'\nsecret = 'a-component-secret'\n", closed.Addr()))
	ctx, stop := context.WithCancel(t.Context())
	stop()
	var log bytes.Buffer
	if err := serve(ctx, cfg, slog.New(slog.NewTextHandler(&log, nil))); err != nil {
		t.Error(err)
	}
	if text := log.String(); strings.Contains(text, "msg=listening") || strings.Contains(text, "msg=ready") || !strings.Contains(text, "shutting down") {
		t.Errorf("logged:\n%s", text)
	}
}

func TestEveryTakenPortIsReported(t *testing.T) {
	var uris []string
	for range 2 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		uris = append(uris, "xmpp://"+l.Addr().String())
	}
	cfg := load(t, t.TempDir(), fmt.Sprintf("listen = [%q, %q]\n", uris[0], uris[1]), "accounts = 'existing'\n")
	var stderr strings.Builder
	p := &process{stderr: &stderr}
	status := p.complain(serve(t.Context(), cfg, slog.New(slog.DiscardHandler)))
	for _, uri := range uris {
		if !strings.Contains(stderr.String(), "xtokend: error: cannot listen on "+uri+": ") {
			t.Errorf("%s is not reported", uri)
		}
	}
	if n := strings.Count(stderr.String(), "xtokend: hint: another program has this port"); n != 2 || status != exitFailure {
		t.Errorf("%d hints, exit status %d:\n%s", n, status, stderr.String())
	}
}

func TestJoinedErrors(t *testing.T) {
	lost := errors.New("the store was not closed")
	both := fmt.Errorf("the link is down: %w: %w", lost, errors.New("refused"))
	for name, c := range map[string]struct {
		err    error
		status int
		stderr string
	}{
		"failure, then another": {errors.Join(&failure{status: exitUsage, text: "no", hint: "yes"}, lost), exitUsage,
			"xtokend: error: no\nxtokend: hint: yes\nxtokend: error: the store was not closed\n"},
		"all has been said": {errors.Join(&failure{status: exitFailure}, lost), exitFailure, "xtokend: error: the store was not closed\n"},
		"one alone":         {errors.Join(nil, lost), exitFailure, "xtokend: error: the store was not closed\n"},
		"joined twice":      {errors.Join(errors.Join(lost, lost), lost), exitFailure, strings.Repeat("xtokend: error: the store was not closed\n", 3)},
		"one text of two":   {both, exitFailure, "xtokend: error: the link is down: the store was not closed: refused\n"},
	} {
		var stderr strings.Builder
		p := &process{stderr: &stderr}
		if status := p.complain(c.err); status != c.status || stderr.String() != c.stderr {
			t.Errorf("%s: exit status %d, standard error\n%s", name, status, stderr.String())
		}
	}
}
