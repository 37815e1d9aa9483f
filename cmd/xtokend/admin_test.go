package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"

	"xtokend/cmd/xtokend/internal/admin"
)

// Whoever gives a command learns what to do when it cannot be done.
func TestWhyTheDaemonDoesNotAnswer(t *testing.T) {
	dial := func(cause error) error {
		return &url.Error{Op: "Get", URL: "http://xtokend/status", Err: &net.OpError{Op: "dial", Net: "unix", Err: os.NewSyscallError("connect", cause)}}
	}
	for name, c := range map[string]struct {
		err        error
		status     int
		text, hint string
	}{
		"no permission":    {dial(syscall.EACCES), exitFailure, "no permission to use /run/a", "member of the socket's group"},
		"no socket":        {dial(syscall.ENOENT), exitFailure, "no daemon answers at /run/a", "xtokend does not run"},
		"nobody at it":     {dial(syscall.ECONNREFUSED), exitFailure, "no daemon answers at /run/a", "xtokend does not run"},
		"another trouble":  {dial(syscall.EIO), exitFailure, "cannot reach the daemon at /run/a", ""},
		"a refusal":        {&admin.Error{Text: "the store is down", Hint: "wait"}, exitFailure, "the store is down", "wait"},
		"a wrong command":  {&admin.Error{Text: "not served here", Usage: true}, exitUsage, "not served here", ""},
		"a broken answer":  {errors.New("unexpected EOF"), exitFailure, "unexpected EOF", ""},
		"all is well":      {nil, exitOK, "", ""},
		"a joined refusal": {fmt.Errorf("asking: %w", &admin.Error{Text: "no"}), exitFailure, "no", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var stderr strings.Builder
			p := &process{stderr: &stderr}
			status := p.complain(askError("/run/a", c.err))
			if status != c.status || !strings.Contains(stderr.String(), c.text) || !strings.Contains(stderr.String(), c.hint) ||
				c.hint == "" && strings.Contains(stderr.String(), "hint") {
				t.Errorf("exit status %d:\n%s", status, stderr.String())
			}
		})
	}
}

func TestWhyOperationsCannotBegin(t *testing.T) {
	address := netip.MustParseAddrPort("127.0.0.1:5290")
	for name, c := range map[string]struct {
		err  error
		text string
		hint string
	}{
		"another daemon": {adminError("/run/x/a", admin.ErrRunning), "cannot make the socket /run/x/a: another daemon answers there", "stop it first"},
		"a file":         {adminError("/run/x/a", admin.ErrNotSocket), "there is a file that is no socket", "choose another path"},
		"no folder":      {adminError("/run/x/a", fs.ErrNotExist), "cannot make the socket", "make the folder /run/x for"},
		"no permission":  {adminError("/run/x/a", fs.ErrPermission), "cannot make the socket", "write to the folder /run/x"},
		"a taken port": {metricsError(address, &net.OpError{Op: "listen", Err: os.NewSyscallError("bind", syscall.EADDRINUSE)}),
			"metrics: cannot listen on 127.0.0.1:5290: bind: address already in use", "another program has this port"},
	} {
		var stderr strings.Builder
		p := &process{stderr: &stderr}
		if status := p.complain(c.err); status != exitFailure || !strings.Contains(stderr.String(), c.text) || !strings.Contains(stderr.String(), c.hint) {
			t.Errorf("%s: exit status %d:\n%s", name, status, stderr.String())
		}
	}
}
