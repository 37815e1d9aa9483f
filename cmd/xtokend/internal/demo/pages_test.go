package demo_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"xtokend/cmd/xtokend/internal/demo"
)

// settingsOf returns what the page gives its script.
func settingsOf(t *testing.T, page string) (settings map[string]string) {
	t.Helper()
	_, rest, _ := strings.Cut(page, `<script type="application/json" id="page">`)
	text, _, found := strings.Cut(rest, "</script>")
	if !found {
		t.Fatalf("there are no settings in the page:\n%s", page)
	}
	if err := json.Unmarshal([]byte(text), &settings); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return settings
}

func TestChatPage(t *testing.T) {
	for name, c := range map[string]struct {
		rooms, query string
		want         map[string]string
		another      string // whom the page offers to open
	}{
		"alone": {"rooms.localhost", "name=alice",
			map[string]string{"name": "alice", "domain": "localhost", "peer": "", "room": "lobby@rooms.localhost", "transport": "websocket", "mechanism": "X-TOKEN"}, "bob"},
		"with somebody": {"rooms.localhost", "name=bob&with=alice",
			map[string]string{"name": "bob", "domain": "localhost", "peer": "alice", "room": "lobby@rooms.localhost", "transport": "websocket", "mechanism": "X-TOKEN"}, "carol"},
		"over BOSH with PLAIN, without rooms": {"", "name=alice&transport=bosh&mechanism=PLAIN",
			map[string]string{"name": "alice", "domain": "localhost", "peer": "", "room": "", "transport": "bosh", "mechanism": "PLAIN"}, "bob"},
		"of names to prepare": {"", "name=+Carol+&with=Bob",
			map[string]string{"name": "carol", "domain": "localhost", "peer": "bob", "room": "", "transport": "websocket", "mechanism": "X-TOKEN"}, "alice"},
		"with oneself": {"", "name=bob&with=BOB",
			map[string]string{"name": "bob", "domain": "localhost", "peer": "", "room": "", "transport": "websocket", "mechanism": "X-TOKEN"}, "alice"},
		"with nobody, over what there is not": {"", "name=alice&with=a+b&transport=pigeon&mechanism=SCRAM",
			map[string]string{"name": "alice", "domain": "localhost", "peer": "", "room": "", "transport": "websocket", "mechanism": "X-TOKEN"}, "bob"},
		"of a name with a quotation in it": {"", "name=%60-%24%7Balert()%7D-%60%3B%5C",
			map[string]string{"name": "`-${alert()}-`;\\", "domain": "localhost", "peer": "", "room": "", "transport": "websocket", "mechanism": "X-TOKEN"}, "bob"},
	} {
		t.Run(name, func(t *testing.T) {
			site := newSite(t, func(d *demo.Config) { d.Rooms = c.rooms })
			answer, page := get(site, "/chat?"+c.query)
			if answer.StatusCode != 200 || answer.Header.Get("Content-Type") != "text/html; charset=utf-8" {
				t.Fatalf("status %d, header %v", answer.StatusCode, answer.Header)
			}
			if diff := cmp.Diff(c.want, settingsOf(t, page)); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
			if !strings.Contains(page, `<input name="name" value="`+c.another+`"`) {
				t.Errorf("the page does not offer %s:\n%s", c.another, page)
			}
			if offered := strings.Contains(page, "Join the room"); offered != (c.rooms != "") {
				t.Errorf("a room is offered: %t", offered)
			}
		})
	}
}

// The first page keeps how to connect while names are tried.
func TestWelcomePage(t *testing.T) {
	_, page := get(newSite(t, nil), "/chat?name=a+b&transport=bosh&mechanism=PLAIN")
	for _, part := range []string{`value="a b"`, `value="bosh" checked`, `value="PLAIN" checked`, "ws://localhost:5280/xmpp-websocket", "http://localhost:5280/http-bind"} {
		if !strings.Contains(page, part) {
			t.Errorf("the page has no %s:\n%s", part, page)
		}
	}
}

func TestFiles(t *testing.T) {
	site := newSite(t, nil)
	for path, c := range map[string]struct {
		status      int
		contentType string
	}{
		"/chat.js":                         {200, "text/javascript; charset=utf-8"},
		"/demo.css":                        {200, "text/css; charset=utf-8"},
		"/converse/converse.min.js":        {200, "text/javascript; charset=utf-8"},
		"/converse/converse.min.css":       {200, "text/css; charset=utf-8"},
		"/converse/sounds/msg.mp3":         {200, ""},
		"/converse/":                       {404, ""},
		"/converse/sounds":                 {404, ""},
		"/converse/sounds/":                {404, ""},
		"/converse/sounds/msg.mp3/":        {404, ""},
		"/converse/nothing.js":             {404, ""},
		"/converse/..%2f..%2fpackage.json": {404, ""},
		"/welcome.html":                    {404, ""},
		"/assets/chat.js":                  {404, ""},
	} {
		answer, _ := get(site, path)
		if answer.StatusCode != c.status || c.contentType != "" && answer.Header.Get("Content-Type") != c.contentType {
			t.Errorf("%s: status %d, header %v", path, answer.StatusCode, answer.Header)
		}
	}
}

func TestWithoutPages(t *testing.T) {
	site := newSite(t, func(c *demo.Config) { c.Converse = nil })
	for path, status := range map[string]int{"/": 404, "/chat?name=alice": 404, "/chat.js": 404, "/converse/converse.min.js": 404, "/credentials?name=alice": 200} {
		if answer, _ := get(site, path); answer.StatusCode != status {
			t.Errorf("%s: status %d, not %d", path, answer.StatusCode, status)
		}
	}
}

func TestOpenConverse(t *testing.T) {
	folder := t.TempDir()
	write := func(name string) {
		t.Helper()
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	open := func(want error) {
		t.Helper()
		if _, err := demo.OpenConverse(folder); !errors.Is(err, want) {
			t.Fatalf("error %v, want %v", err, want)
		}
	}
	open(demo.ErrNoConverse)
	write("package.json")
	write("dist/converse.min.js")
	open(demo.ErrNoConverse)
	write("dist/converse.min.css/folder")
	open(demo.ErrNoConverse)
	if err := os.RemoveAll(filepath.Join(folder, "dist/converse.min.css")); err != nil {
		t.Fatal(err)
	}
	write("dist/converse.min.css")
	open(nil)

	// A link in the package leads nowhere else, and only what it has for browsers is
	// there.
	if err := os.Symlink("../package.json", filepath.Join(folder, "dist/out.json")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("converse.min.js", filepath.Join(folder, "dist/in.js")); err != nil {
		t.Fatal(err)
	}
	write("dist/.env")
	write("dist/.git/config")
	write("dist/sounds/.hidden")
	files, err := demo.OpenConverse(folder)
	if err != nil {
		t.Fatal(err)
	}
	site := newSite(t, func(c *demo.Config) { c.Converse = files })
	for path, want := range map[string]int{
		"converse.min.js": 200, "in.js": 200,
		"out.json": 404, "converse.min.js%00": 404, "%00": 404, ".env": 404, ".git/config": 404, "sounds/.hidden": 404, "%2eenv": 404, "..%2fpackage.json": 404,
	} {
		if answer, body := get(site, "/converse/"+path); answer.StatusCode != want || want == 200 && body != "dist/converse.min.js" {
			t.Errorf("%s: status %d, not %d; %q", path, answer.StatusCode, want, body)
		}
	}
}
