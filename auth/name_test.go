package auth_test

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"mellium.im/xmpp/jid"

	"xtokend/auth"
)

func TestPrepareName(t *testing.T) {
	cases := []struct {
		name, authcid string
		want          string // empty: refused
	}{
		{"plain", "alice", "alice"},
		{"upper case", "JSmith", "jsmith"},
		{"all that ASCII allows", "!#$%()*+,-.0123456789;=?[\\]^_`{|}~", "!#$%()*+,-.0123456789;=?[\\]^_`{|}~"},
		{"umlaut", "Jürgen", "jürgen"},
		{"decomposed", "ju\u0308rgen", "jürgen"},
		{"full width", "Ａdmin", "admin"},
		{"Hebrew", "אליס", "אליס"},
		{"newer than Unicode 3.2", "\u1c90\u10d1", "\u10d0\u10d1"},
		{"question mark beyond ASCII", "qu?é", "qu?é"},
		// x/text applies RFC 5893 to names without a right-to-left character too, as JID libraries on it do.
		{"question mark at the end, beyond ASCII", "qué?", ""},
		{"empty", "", ""},
		{"at sign", "alice@example.org", ""},
		{"full-width at sign", "alice＠example.org", ""},
		{"quote", `al"ice`, ""},
		{"ampersand", "al&ice", ""},
		{"apostrophe", "o'neil", ""},
		{"slash", "alice/home", ""},
		{"colon", "al:ice", ""},
		{"less than", "al<ice", ""},
		{"greater than", "al>ice", ""},
		{"full-width slash", "alice／home", ""},
		{"space", "al ice", ""},
		{"no-break space", "al\u00a0ice", ""},
		{"NUL", "alice\x00", ""},
		{"DEL", "alice\x7f", ""},
		{"line end", "alice\n", ""},
		{"not UTF-8", "al\xffice", ""},
		{"surrogate", "al\xed\xa0\x80ice", ""},
		{"sharp s", "strauß", ""},
		{"capital sharp s", "STRAUẞ", ""},
		{"final sigma", "nikoς", ""},
		{"joiner", "\u0915\u094d\u200d\u0937", ""},
		{"soft hyphen", "al\u00adice", ""},
		{"Hebrew presentation form", "\ufb1d", ""},
		{"mixed direction", "aliceא", ""},
		{"longest", strings.Repeat("a", 1023), strings.Repeat("a", 1023)},
		{"too long", strings.Repeat("a", 1024), ""},
		{"too long when prepared", strings.Repeat("ü", 512), ""},
		{"longest of two octets", strings.Repeat("ü", 511), strings.Repeat("ü", 511)},
		{"shorter when prepared", strings.Repeat("ａ", 1023), strings.Repeat("a", 1023)},
		{"far too long", strings.Repeat("ａ", 1024), ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			name, err := auth.PrepareName(c.authcid)
			if c.want == "" {
				wantRefusal(t, err, auth.Malformed)
				if name != (auth.Name{}) {
					t.Errorf("refused, yet the name is %q", name.Localpart())
				}
				return
			}
			if err != nil || name.Localpart() != c.want {
				t.Fatalf("%q, %v, want %q", name.Localpart(), err, c.want)
			}
		})
	}
}

func TestPrepareNameAllocatesNothing(t *testing.T) {
	allocations := testing.AllocsPerRun(100, func() {
		if _, err := auth.PrepareName("alice.liddell-1862"); err != nil {
			t.Fatal(err)
		}
	})
	if allocations != 0 {
		t.Errorf("%v allocations", allocations)
	}
}

// Whatever name is accepted, the server behind must bind the same: Prosody's own nodeprep must leave it as it is, and a
// JID library must read the authcid so too. Every code point is tried alone and inside a word.
func TestNamesAsOthersReadThem(t *testing.T) {
	var prepared []string
	for r := rune(1); r <= utf8.MaxRune; r++ {
		for _, authcid := range []string{string(r), "a" + string(r) + "b"} {
			name, err := auth.PrepareName(authcid)
			if err != nil {
				continue
			}
			prepared = append(prepared, name.Localpart())
			if address, err := jid.New(authcid, "example.org", ""); err != nil || address.Localpart() != name.Localpart() {
				t.Errorf("%+q is %+q here and in a JID %+q, %v", authcid, name.Localpart(), address.Localpart(), err)
			}
		}
	}
	if len(prepared) < 200_000 {
		t.Fatalf("only %d names were accepted", len(prepared))
	}
	var input bytes.Buffer
	for _, name := range prepared {
		fmt.Fprintln(&input, hex.EncodeToString([]byte(name)))
	}
	cmd := exec.CommandContext(t.Context(), "lua5.4", filepath.Join("testdata", "nodeprep.lua"))
	cmd.Stdin = &input
	output, err := cmd.Output()
	if err != nil {
		t.Fatalf("Prosody's nodeprep cannot be run (Debian: apt install prosody): %v", err)
	}
	lines := bufio.NewScanner(bytes.NewReader(output))
	for _, name := range prepared {
		if !lines.Scan() {
			t.Fatal("Prosody has answered too little")
		}
		if lines.Text() != hex.EncodeToString([]byte(name)) {
			t.Errorf("%q (%+q) is %s to Prosody", name, name, lines.Text())
		}
	}
}
