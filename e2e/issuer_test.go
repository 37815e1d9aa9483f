package e2e

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"xtokend/internal/installation"
)

// request says which token an issuer is to make; see testdata/issuer.py.
type request struct {
	Authcid string `json:"authcid"`
	Domain  string `json:"domain"`
	Ahead   int    `json:"ahead,omitempty"` // seconds
	Naive   bool   `json:"naive,omitempty"`
}

// issuer makes tokens with pyotp. It remembers them, so that logs can be
// searched for them.
type issuer struct {
	t      testing.TB
	mu     sync.Mutex // one request and its answer at a time
	in     io.Writer
	out    *bufio.Reader
	issued map[string]string // token → authcid
}

// newIssuer starts an issuer on a host of the time zone named; an empty one is
// this host's. Debian's pyotp is a module of Debian's own Python.
func newIssuer(t testing.TB, i *installation.Installation, zone string) *issuer {
	t.Helper()
	cmd := exec.Command("/usr/bin/python3", "testdata/issuer.py")
	cmd.Env = append(os.Environ(), "OTP_SEED="+i.OTPSeed, "TOKEN_SECRET="+i.TokenSecret)
	if zone != "" {
		cmd.Env = append(cmd.Env, "TZ="+zone)
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, stdout := io.Pipe()
	cmd.Stdout = stdout
	startProcess(t, "issuer "+zone, cmd)
	return &issuer{t: t, in: in, out: bufio.NewReader(out), issued: map[string]string{}}
}

func (i *issuer) token(authcid string) string {
	return i.issue(request{Authcid: authcid, Domain: domain})
}

func (i *issuer) issue(r request) string {
	i.mu.Lock()
	defer i.mu.Unlock()
	if err := json.NewEncoder(i.in).Encode(r); err != nil {
		i.t.Errorf("issuer: %v", err)
		return ""
	}
	line, err := i.out.ReadString('\n')
	if err != nil {
		i.t.Errorf("issuer: %v", err)
		return ""
	}
	token := strings.TrimSuffix(line, "\n")
	i.issued[token] = r.Authcid
	return token
}

// secrets are the texts that no log may hold: the halves of each token, and the
// token as clients send it.
func (i *issuer) secrets() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	var secrets []string
	for token, authcid := range i.issued {
		signed, signature, _ := strings.Cut(token, " ")
		secrets = append(secrets, signed, signature, initialResponse(authcid, token))
	}
	return secrets
}
