package issuers

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"xtokend/internal/nginxtest"
)

// The line that the guide has for nginx names the user who has logged in there, whatever
// a client says, and in whatever case.
func TestNginxNamesTheUser(t *testing.T) {
	guide, err := os.ReadFile("../../doc/issuers.md")
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile("`(proxy_set_header X-Remote-User [^`]*;)`").FindSubmatch(guide)
	if line == nil {
		t.Fatal("the guide has no line for nginx")
	}
	for _, c := range sites {
		if c.name == "PHP" { // which has a login of its own
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			s := c.start(t, false)
			dial := startNginx(t, s.url, string(line[1]))
			s.client.Transport = &http.Transport{DialContext: dial, DisableKeepAlives: true}
			s.logIn = func(r *http.Request, userID string) { r.SetBasicAuth(userID, "the password") }
			for _, headers := range [][]string{nil, {"X-Remote-User", "admin"}, {"x-remote-user", "admin"}, {"X_Remote_User", "admin"}} {
				for _, userID := range []string{"alice", "zoë"} {
					if status, body := s.ask(http.MethodGet, userID, headers...); status != http.StatusOK || body["jid"] != userID+"@"+domain {
						t.Errorf("%s, who says %q, gets %d %v", userID, headers, status, body)
					}
				}
			}
		})
	}
}

// startNginx starts a web server with a login, in front of url; dial connects to it.
func startNginx(t *testing.T, url, line string) (dial func(context.Context, string, string) (net.Conn, error)) {
	t.Helper()
	dir := t.TempDir()
	socket, users := filepath.Join(dir, "nginx.sock"), filepath.Join(dir, "users")
	if err := os.WriteFile(users, []byte("alice:{PLAIN}the password\nzoë:{PLAIN}the password\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), commandTimeout)
	defer cancel()
	nginxtest.Start(ctx, t, dir, strings.NewReplacer("SOCKET", socket, "USERS", users, "URL", url, "LINE", line).Replace(`server {
        listen unix:SOCKET;
        auth_basic "site";
        auth_basic_user_file USERS;
        location / {
            proxy_pass URL;
            LINE
        }
    }`))
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}
}
