package e2e

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"

	"xtokend/internal/watch"
)

// sendXMPP runs go-sendxmpp, which sends body to a contact by way of PLAIN and
// logs out. It returns what it wrote and its error.
func sendXMPP(ctx context.Context, authority string, a account, to, body string) (string, error) {
	cmd := goSendXMPP(ctx, authority, a, to)
	cmd.Stdin = strings.NewReader(body)
	written, err := cmd.CombinedOutput()
	return string(written), err
}

// account is where and as whom go-sendxmpp logs in.
type account struct {
	address   string // host:port
	directTLS bool
	jid       string
	password  string
}

// listenXMPP starts go-sendxmpp as a listener and returns what it writes, once
// it is online: its debug output shows its own presence come back.
func listenXMPP(ctx context.Context, t testing.TB, authority string, a account) *watch.Output {
	t.Helper()
	listener := startProcess(t, "go-sendxmpp --listen", goSendXMPP(ctx, authority, a, "--listen", "--debug"))
	if err := listener.log.Wait(ctx, "<presence ", 0); err != nil {
		t.Fatalf("go-sendxmpp: %v", err)
	}
	return &listener.log
}

func goSendXMPP(ctx context.Context, authority string, a account, args ...string) *exec.Cmd {
	flags := []string{"--jserver", a.address, "--username", a.jid, "--password", a.password}
	if a.directTLS {
		flags = append(flags, "--tls")
	}
	cmd := exec.CommandContext(ctx, "go-sendxmpp", append(flags, args...)...)
	cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+authority)
	return cmd
}
