package host_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"xtokend/component/host"
)

// diskVariable tells the process that it may set limits on itself.
const diskVariable = "XTOKEND_TEST_FULL_DISK"

// While the file cannot grow, as on a full disk, nothing is told that would be
// lost with the process; once there is room, all goes on.
func TestNothingIsToldThatIsNotOnDisk(t *testing.T) {
	if os.Getenv(diskVariable) == "" {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		child := exec.CommandContext(t.Context(), self, "-test.run=^"+t.Name()+"$", "-test.v")
		child.Env = append(os.Environ(), diskVariable+"=1")
		if said, err := child.CombinedOutput(); err != nil || !strings.Contains(string(said), "--- PASS") {
			t.Fatalf("%v\n%s", err, said)
		}
		return
	}
	path := filepath.Join(t.TempDir(), "host.db")
	h := newHost(t, host.Config{Path: path})
	login(t, h, "bob/b").send("</stream:stream>")
	var id string // of the session made last
	ready := func(resource string) *client {
		c := login(t, h, "alice/"+resource)
		id = c.manage()
		c.send("<message to='bob@example.org' type='chat'><body>fits</body></message>" + ask)
		c.expect("<a xmlns='urn:xmpp:sm:3' h='1'/>")
		return c
	}
	const refusal = "<stream:error><internal-server-error xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>"
	message, item, subscribe, resume := ready("message"), ready("item"), ready("subscribe"), ready("resume")
	limit := fillDisk(t, path)

	message.send("<message to='bob@example.org' type='chat'><body>%s</body></message>"+ask, strings.Repeat("large ", 20000))
	message.expect(refusal)
	item.send(rosterSet, 1, "<item jid='bob@example.org' name='Bob'/>")
	item.expect(refusal)
	subscribe.send("<presence to='bob@example.org' type='subscribe'/>" + ask)
	subscribe.expect(refusal)
	resume.drop()
	again := connect(t, h, "alice")
	again.send("<resume xmlns='urn:xmpp:sm:3' previd='%s' h='0'/>", id)
	again.expect(refusal)

	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	ready("later")
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	h = newHost(t, host.Config{Path: path})
	bob := online(t, h, "bob/b")
	bob.expect("<presence type='subscribe' …/>")
	for range 4 {
		bob.expect("<message …><body>fits</body>…")
	}
	bob.expect("<message …><body>large …") // nobody was told that it is lost either
	bob.expect("<message …><body>fits</body>…")
	bob.expectNothing()
	alice := login(t, h, "alice/a")
	alice.wantRoster("bob none*")
}

// fillDisk lets no file of this process grow beyond the size of that one, and
// returns the limit there was.
func fillDisk(t *testing.T, path string) syscall.Rlimit {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	full := syscall.Rlimit{Cur: uint64(info.Size()), Max: limit.Max}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &full); err != nil {
		t.Fatal(err)
	}
	return limit
}
