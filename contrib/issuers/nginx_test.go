package issuers

import (
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"xtokend/internal/watch"
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
	program, err := exec.LookPath("nginx")
	if err != nil {
		program = "/usr/sbin/nginx" // where Debian has it, outside a user's path
	}
	dir := t.TempDir()
	socket := filepath.Join(dir, "nginx.sock")
	files := map[string]string{
		"users": "alice:{PLAIN}the password\nzoë:{PLAIN}the password\n",
		"nginx.conf": strings.NewReplacer("DIR", dir, "URL", url, "LINE", line).Replace(`daemon off;
master_process off;
pid DIR/pid;
error_log stderr notice;
events {}
http {
    access_log off;
    client_body_temp_path DIR/body;
    proxy_temp_path DIR/proxy;
    fastcgi_temp_path DIR/fastcgi;
    uwsgi_temp_path DIR/uwsgi;
    scgi_temp_path DIR/scgi;
    server {
        listen unix:DIR/nginx.sock;
        auth_basic "site";
        auth_basic_user_file DIR/users;
        location / {
            proxy_pass URL;
            LINE
        }
    }
}
`),
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	log := new(watch.Output)
	cmd := exec.Command(program, "-e", "stderr", "-p", dir, "-c", filepath.Join(dir, "nginx.conf"))
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("nginx:\n%s", log.Bytes())
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), commandTimeout)
	defer cancel()
	if err := log.Wait(ctx, "event method", 0); err != nil { // said once it listens
		t.Fatal(err)
	}
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}
}
