package admin_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"xtokend/cmd/xtokend/internal/admin"
	"xtokend/cmd/xtokend/internal/extauth"
	"xtokend/cmd/xtokend/internal/httpservertest"
)

// lingering is where net/http waits for half a second before it closes on a client
// whose request was too long.
const lingering = "net/http.(*conn).closeWriteAndWait"

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction(lingering)) }

// daemon answers what a test wants.
type daemon struct {
	status   admin.Status
	sessions []admin.Session
	revoked  admin.Revoked
	err      error
	asked    []string
	question extauth.Question
	yes      bool
	drained  bool
}

func (d *daemon) Status(context.Context) admin.Status { return d.status }
func (d *daemon) Sessions() []admin.Session           { return d.sessions }

func (d *daemon) Revoke(_ context.Context, address string) (admin.Revoked, error) {
	d.asked = append(d.asked, address)
	return d.revoked, d.err
}

func (d *daemon) Answer(_ context.Context, q extauth.Question) (bool, error) {
	d.question = q
	return d.yes, d.err
}

func (d *daemon) RemoveTrial(_ context.Context, address string) error {
	d.asked = append(d.asked, address)
	return d.err
}

func (d *daemon) Drain() admin.Drained {
	already := d.drained
	d.drained = true
	return admin.Drained{Already: already, Left: 3}
}

// serve answers at a socket until the test ends.
func serve(t *testing.T, d admin.Daemon, log *bytes.Buffer) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "admin.sock")
	l, err := admin.Listen(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	httpservertest.Serve(t, admin.NewServer(d, slog.New(slog.NewTextHandler(log, nil))), l)
	return path
}

func TestAskAndTell(t *testing.T) {
	began := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	d := &daemon{
		status: admin.Status{Version: "v1", Started: began, NotReady: []string{"draining"}, Listeners: []string{"xmpp://127.0.0.1:5222"},
			Domains: []admin.Domain{{Name: "example.org", Upstream: "server", State: "up", Link: "down"}}, Sessions: 1, Unauthenticated: 2,
			Store: admin.Store{Kind: "file", State: "up"}, Logins: admin.Logins{Accepted: 5, Refused: 6}},
		sessions: []admin.Session{{User: "jürgen@example.org", Address: "192.0.2.1", Transport: "bosh+tls", Mechanism: "PLAIN", Began: began, FromClient: 1, ToClient: 2}},
		revoked:  admin.Revoked{User: "jürgen@example.org", Ended: 2},
	}
	var log bytes.Buffer
	c := admin.NewClient(serve(t, d, &log))
	defer c.Close()
	if s, err := c.Status(t.Context()); err != nil || !reflect.DeepEqual(s, d.status) {
		t.Errorf("status %+v, %v", s, err)
	}
	if s, err := c.Sessions(t.Context()); err != nil || !reflect.DeepEqual(s, d.sessions) {
		t.Errorf("sessions %+v, %v", s, err)
	}
	if r, err := c.Revoke(t.Context(), "Jürgen@example.org"); err != nil || r != d.revoked || d.asked[0] != "Jürgen@example.org" {
		t.Errorf("revoke %+v of %q, %v", r, d.asked, err)
	}
	if err := c.RemoveTrial(t.Context(), "xtokend-check-1@example.org"); err != nil || d.asked[1] != "xtokend-check-1@example.org" {
		t.Errorf("remove a trial account: asked %q, %v", d.asked, err)
	}
	for _, already := range []bool{false, true} {
		if r, err := c.Drain(t.Context()); err != nil || r != (admin.Drained{Already: already, Left: 3}) {
			t.Errorf("drain %+v, %v", r, err)
		}
	}
	for _, want := range []error{
		&admin.Error{Text: "not served here", Hint: "served: example.org", Usage: true},
		&admin.Error{Text: "the store is down"},
	} {
		d.err = want
		if _, err := c.Revoke(t.Context(), "a@b"); !reflect.DeepEqual(err, want) {
			t.Errorf("revoke: %v, want %v", err, want)
		}
		if err := c.RemoveTrial(t.Context(), "a@b"); !reflect.DeepEqual(err, want) {
			t.Errorf("remove a trial account: %v, want %v", err, want)
		}
	}
	d.err = nil
	var refusal *admin.Error
	if _, err := c.Revoke(t.Context(), strings.Repeat("x", 60000)); !errors.As(err, &refusal) || !refusal.Usage {
		t.Errorf("a request beyond the limit: %v", err)
	}
}

func TestTheNextConnectionWaits(t *testing.T) {
	httpservertest.ServesAtMost(t, 16, func() httpservertest.Server {
		return admin.NewServer(&daemon{}, slog.New(slog.DiscardHandler))
	})
}

func TestServersQuestions(t *testing.T) {
	d := &daemon{}
	var log bytes.Buffer
	c := admin.NewClient(serve(t, d, &log))
	defer c.Close()
	longest := strings.Repeat("\x01", extauth.MaxQuestionBytes) // of which JSON makes six bytes each
	for _, q := range []extauth.Question{
		{Verb: extauth.CheckPassword, User: "jürgen", Server: "example.org", Password: "a secret: token"},
		{Verb: extauth.UserExists, User: "alice", Server: "example.org"},
		{Verb: extauth.CheckPassword, User: "alice", Server: "example.org", Password: longest},
	} {
		for _, d.yes = range []bool{true, false} {
			if yes, err := c.Answer(t.Context(), q); yes != d.yes || err != nil || d.question != q {
				t.Errorf("%v, %v; asked for %+v, want %+v", yes, err, d.question, q)
			}
		}
	}
	d.yes, d.err = true, errors.New("the store has a secret: token")
	var refusal *admin.Error
	yes, err := c.Answer(t.Context(), extauth.Question{Verb: extauth.CheckPassword, User: "alice", Server: "example.org", Password: "a secret: token"})
	if yes || !errors.As(err, &refusal) || strings.Contains(err.Error()+refusal.Hint+log.String(), "secret") {
		t.Errorf("when nobody can tell: %v, %v", yes, err)
	}
	if yes, err := c.Answer(t.Context(), extauth.Question{Password: longest + longest}); yes || !errors.As(err, &refusal) || !refusal.Usage {
		t.Errorf("a question beyond the limit: %v, %v", yes, err)
	}
}

// What people have the daemon do is in its log.
func TestWhatIsDoneIsLogged(t *testing.T) {
	d := &daemon{revoked: admin.Revoked{User: "alice@example.org", Ended: 2}}
	var log bytes.Buffer
	path := serve(t, d, &log)
	c := admin.NewClient(path)
	defer c.Close()
	if _, err := c.Revoke(t.Context(), "alice@example.org"); err != nil {
		t.Error(err)
	}
	if err := c.RemoveTrial(t.Context(), "xtokend-check-1@example.org"); err != nil {
		t.Error(err)
	}
	for range 2 {
		if _, err := c.Drain(t.Context()); err != nil {
			t.Error(err)
		}
	}
	text := log.String()
	if !strings.Contains(text, "msg=revoked user=alice@example.org sessions_ended=2") || strings.Count(text, "draining") != 1 ||
		!strings.Contains(text, `msg="a trial account was removed" user=xtokend-check-1@example.org`) {
		t.Errorf("logged:\n%s", text)
	}
}

func TestListen(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "admin.sock")
	before := syscall.Umask(0)
	defer syscall.Umask(before)
	l, err := admin.Listen(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(path)
	if err != nil || info.Mode() != fs.ModeSocket|0o660 {
		t.Errorf("the socket has mode %v, %v", info.Mode(), err)
	}
	if now := syscall.Umask(0); now != 0 {
		t.Errorf("the umask is %o afterwards", now)
	}
	if _, err := admin.Listen(t.Context(), path); !errors.Is(err, admin.ErrRunning) {
		t.Errorf("beside a live one: %v", err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // as after kill -9
	l.Close()
	l, err = admin.Listen(t.Context(), path)
	if err != nil {
		t.Fatalf("where a dead one has left its socket: %v", err)
	}
	l.Close()
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket stays: %v", err)
	}
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.Listen(t.Context(), path); !errors.Is(err, admin.ErrNotSocket) {
		t.Errorf("in place of a file: %v", err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "precious" {
		t.Errorf("the file is %q, %v", text, err)
	}
	if _, err := admin.Listen(t.Context(), filepath.Join(dir, "nowhere", "admin.sock")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("in no folder: %v", err)
	}
}
