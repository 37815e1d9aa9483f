package muc_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"xtokend/component/host/muc"
)

var update = flag.Bool("update", false, "write what the scripts expect anew; read the difference")

// TestScripts plays testdata/*.txt. A line "alice/desk> stanza" has a session of
// alice's send a stanza; all lines "bob/desk< summary" behind it are what anybody
// gets for it, and there is nothing else. "@ 90s" lets time pass, "! bob/desk"
// has a session take nothing from now on. {join}, {leave} and so on stand for
// what macros says, R for the address of a room.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var out []string
			for i, dialogue := range strings.Split(strings.TrimRight(string(text), "\n"), "\n== ") {
				name, lines, _ := strings.Cut(dialogue, "\n")
				if i == 0 {
					out = append(out, name, lines) // what the file is about
					continue
				}
				t.Run(name, func(t *testing.T) {
					out = append(out, "== "+name, strings.Join(play(t, strings.Split(lines, "\n")), "\n"))
				})
			}
			if *update {
				if err := os.WriteFile(file, []byte(strings.Join(out, "\n")+"\n"), 0o666); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

var macros = strings.NewReplacer(
	"{x}", "<x xmlns='http://jabber.org/protocol/muc'/>",
	"{muc}", "xmlns='http://jabber.org/protocol/muc'",
	"{user}", "xmlns='http://jabber.org/protocol/muc#user'",
	"{admin}", "xmlns='http://jabber.org/protocol/muc#admin'",
	"{owner}", "xmlns='http://jabber.org/protocol/muc#owner'",
	"{info}", "xmlns='http://jabber.org/protocol/disco#info'",
	"{items}", "xmlns='http://jabber.org/protocol/disco#items'",
	"{instant}", "<iq type='set' id='open' to='R'><query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'/></query></iq>",
	"{form}", "<query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'>"+
		"<field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#roomconfig</value></field>",
	"{/form}", "</x></query>",
)

func play(t *testing.T, lines []string) (out []string) {
	r := newRig(t, muc.Limits{})
	var want []string
	line := 0
	check := func() {
		t.Helper()
		got := r.take()
		out = append(out, got...)
		if !*update && strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("at line %d\ngot  %s\nwant %s", line, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
		}
		want = nil
	}
	for i, l := range lines {
		who, what, ok := strings.Cut(l, "> ")
		switch {
		case l == "" || strings.HasPrefix(l, "#"):
			check()
			out = append(out, l)
		case strings.HasPrefix(l, "@ "):
			check()
			d, err := time.ParseDuration(l[2:])
			if err != nil {
				t.Fatal(err)
			}
			r.now = r.now.Add(d)
			out = append(out, l)
		case strings.HasPrefix(l, "! "):
			check()
			r.gone[full(l[2:])] = true
			out = append(out, l)
		case ok && !strings.ContainsAny(who, "< "):
			check()
			line = i + 1
			out = append(out, l)
			r.say(full(who), strings.NewReplacer("='R", "='room@rooms.example.org", "=\"R", "=\"room@rooms.example.org").Replace(macros.Replace(what)))
		default:
			want = append(want, l)
		}
	}
	check()
	return out
}

func full(who string) string {
	user, resource, _ := strings.Cut(who, "/")
	return user + "@example.org/" + resource
}
