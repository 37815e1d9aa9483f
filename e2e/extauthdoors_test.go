package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"testing"

	"xtokend/internal/stockserver"
)

// door is where a token can be shown; it says whether it was taken.
type door struct {
	name string
	show func(ctx context.Context, authcid, token string) (bool, error)
}

const bearerSecret = "a-bearer-secret-of-32-characters-or-more"

// doors are those of an xtokend that has clients and answers servers as well.
func doors(t *testing.T) (*site, []door) {
	t.Helper()
	var address string
	if err := stockserver.FreeAddresses(loopbackHost().String(), &address); err != nil {
		t.Fatal(err)
	}
	s := newSiteBehind(t, nil, func(s *site) {
		s.Edit = func(settings map[string]any) {
			settings["http_auth"] = map[string]any{"listen": "http://" + address, "bearer_secret": bearerSecret}
		}
	})
	s.forbid(func() []string { return []string{bearerSecret} })
	return s, []door{
		{"the front", func(ctx context.Context, authcid, token string) (bool, error) {
			c, err := dialStream(ctx, s.service("xmpps"), s.tls)
			if err != nil {
				return false, err
			}
			defer c.close()
			if _, err := c.open(); err != nil {
				return false, err
			}
			err = c.authenticate("PLAIN", authcid, token)
			if err == saslFailure("not-authorized") {
				return false, nil
			}
			return err == nil, err
		}},
		{"the program for ejabberd", func(ctx context.Context, authcid, token string) (bool, error) {
			question := "auth:" + authcid + ":" + domain + ":" + token
			return s.askProgram(ctx, "ejabberd", string([]byte{byte(len(question) >> 8), byte(len(question))})+question, "\x00\x02\x00\x01", "\x00\x02\x00\x00")
		}},
		{"the program for Prosody", func(ctx context.Context, authcid, token string) (bool, error) {
			return s.askProgram(ctx, "generic", "auth:"+authcid+":"+domain+":"+token+"\n", "1\n", "0\n")
		}},
		{"HTTP", func(ctx context.Context, authcid, token string) (bool, error) {
			query := url.Values{"user": {authcid}, "server": {domain}, "pass": {token}}.Encode()
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/check_password?"+query, nil)
			if err != nil {
				return false, err
			}
			request.SetBasicAuth("prosody", bearerSecret)
			answer, err := http.DefaultClient.Do(request)
			if err != nil {
				return false, err
			}
			defer answer.Body.Close()
			text, err := io.ReadAll(answer.Body)
			if said := string(text); err != nil || said != "true" && said != "false" {
				return false, fmt.Errorf("%s: %q, %v", answer.Status, text, err)
			}
			return string(text) == "true", nil
		}},
	}
}

// askProgram starts `xtokend extauth` for one question.
func (s *site) askProgram(ctx context.Context, protocol, question, yes, no string) (bool, error) {
	cmd := exec.CommandContext(ctx, s.program, "extauth", "--protocol", protocol, "--socket", s.Admin)
	cmd.Stdin = strings.NewReader(question)
	answer, err := cmd.Output()
	if said := string(answer); err != nil || said != yes && said != no {
		return false, fmt.Errorf("%q, %v", answer, err)
	}
	return string(answer) == yes, nil
}

func TestATokenIsTakenAtOneDoorOnly(t *testing.T) {
	s, all := doors(t)
	for _, first := range all {
		for _, second := range all {
			token := s.issuer.token("alice")
			if taken, err := first.show(s.ctx, "alice", token); !taken || err != nil {
				t.Errorf("at %s: %v, %v", first.name, taken, err)
			}
			if taken, err := second.show(s.ctx, "alice", token); taken || err != nil {
				t.Errorf("at %s, shown at %s before: %v, %v", second.name, first.name, taken, err)
			}
		}
	}
	taken := make(chan bool)
	token := s.issuer.token("alice")
	for _, door := range all {
		go func() {
			ok, err := door.show(s.ctx, "alice", token)
			if err != nil {
				t.Errorf("at %s: %v", door.name, err)
			}
			taken <- ok
		}()
	}
	n := 0
	for range all {
		if <-taken {
			n++
		}
	}
	if n != 1 {
		t.Errorf("at all doors at a time it was taken %d times", n)
	}
}

func TestNobodyElseIsTakenAtAnyDoor(t *testing.T) {
	s, all := doors(t)
	other := *s.Installation
	other.TokenSecret = strings.Repeat("A", len(other.TokenSecret))
	forger := newIssuer(t, &other, "")
	s.forbid(forger.secrets)
	for _, door := range all {
		for what, token := range map[string]string{
			"bob's token": s.issuer.token("bob"), "a forged one": forger.token("alice"), "a password": "correct horse",
		} {
			if taken, err := door.show(s.ctx, "alice", token); taken || err != nil {
				t.Errorf("%s at %s: %v, %v", what, door.name, taken, err)
			}
		}
	}
}
