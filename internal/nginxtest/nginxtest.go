// Package nginxtest starts a throwaway nginx for one test. It needs Debian's package
// nginx-light, or another of them.
package nginxtest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"xtokend/internal/watch"
)

// frame is what Debian's own nginx.conf has round the files that it includes.
const frame = `daemon off;
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
    HTTP
}
`

// Start runs nginx with these lines in its http section, and returns when it listens.
// Its files are in dir. It ends with the test, which shows its log when it has failed.
// ctx bounds the start only.
func Start(ctx context.Context, t testing.TB, dir, http string) {
	t.Helper()
	settings := filepath.Join(dir, "nginx.conf")
	text := strings.NewReplacer("DIR", dir, "HTTP", http).Replace(frame)
	if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var log watch.Output
	cmd := exec.Command(program(t), "-e", "stderr", "-p", dir, "-c", settings)
	cmd.Stdout, cmd.Stderr = &log, &log
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
	if err := log.Wait(ctx, "event method", 0); err != nil { // said once it listens
		t.Fatalf("nginx: %v", err)
	}
}

// program is where Debian has it, outside a user's path.
func program(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("nginx")
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/nginx")
	}
	if err != nil {
		t.Fatalf("%v; `make setup` installs it", err)
	}
	return path
}
