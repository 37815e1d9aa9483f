package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

// websiteIssuer signs as web applications do, with what may be wrong with one: the
// moment that it takes for now, the address, and a signature written as str() has bytes.
const websiteIssuer = `
import base64, hashlib, hmac, json, secrets, sys, time
import pyotp
c = json.loads(sys.argv[1])
otp = pyotp.TOTP(c["Seed"], digits=8).at(time.time() + c["Ahead"])
text = otp + "".join(secrets.choice("0123456789") for _ in range(32))
signature = base64.b64encode(hmac.new(c["Secret"].encode(), (text + c["Address"]).encode(), hashlib.sha256).digest())
print(text, signature if c["Bytes"] else signature.decode())
`

type website struct {
	Seed, Secret, Address string
	Ahead                 int // seconds that its clock is ahead
	Bytes                 bool
}

func (w website) token(t *testing.T) string {
	t.Helper()
	if w.Seed == "" {
		w.Seed = vectorSeed
	}
	if w.Secret == "" {
		w.Secret = vectorSecret
	}
	if w.Address == "" {
		w.Address = "alice@example.org"
	}
	settings, err := json.Marshal(w)
	if err != nil {
		t.Fatal(err)
	}
	python := exec.Command("/usr/bin/python3", "-c", websiteIssuer, string(settings))
	python.Stderr = os.Stderr
	out, err := python.Output()
	if err != nil {
		t.Fatalf("python3-pyotp: %v", err)
	}
	return strings.TrimSuffix(string(out), "\n")
}

// present logs in, and returns the answer to the token.
func present(t *testing.T, address, authcid, token string) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	const header = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='example.org' version='1.0'>"
	fmt.Fprint(conn, header)
	until(conn, "</stream:features>")
	fmt.Fprintf(conn, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='X-TOKEN'>%s</auth>",
		base64.StdEncoding.EncodeToString([]byte("\x00"+authcid+"\x00"+token)))
	return until(conn, "<success", "</failure>", "</stream:error>")
}

// causesOfTheGuide are the rows of the guide's table: the reason that the log gives, and
// the words in which it and `xtokend explain` name the remedy.
func causesOfTheGuide(t *testing.T) map[string][2]string {
	t.Helper()
	section := guideSection(t, "What is wrong at the web application")
	causes := make(map[string][2]string)
	for _, row := range regexp.MustCompile("(?m)^\\| ([^|`]+) \\| `([a-z-]+)` \\| “([^”]+)” \\|").FindAllStringSubmatch(section, -1) {
		causes[row[1]] = [2]string{row[2], row[3]}
	}
	return causes
}

// Whatever is wrong with a web application, the log and `xtokend explain` say what it is
// and what to do, in the words that the guide has.
func TestTheLogAndExplainNameWhatIsWrongWithTheWebsite(t *testing.T) {
	dir := t.TempDir()
	r := startReloaded(t, dir, `listen = ["xmpp://127.0.0.1:0"]
[[domain]]
name = "example.org"
upstream = "host"
[[domain.key]]
otp_seed = "`+vectorSeed+`"
token_secret = "`+vectorSecret+`"
[replay]
store = "memory"
`)
	address := regexp.MustCompile(`msg=listening address=(\S+) scheme=xmpp`).FindSubmatch(r.log.Bytes())
	if address == nil {
		t.Fatalf("log:\n%s", r.log.Bytes())
	}
	guide := causesOfTheGuide(t)
	for _, c := range []struct {
		cause, authcid string
		site           website
		zone           string   // of a site that takes UTC for local time; "": it does not
		used           bool     // the token, before
		names          []string // the cause, beside the guide's words for the remedy
	}{
		{"its clock", "alice", website{Ahead: -600}, "", false, []string{"from the clock's", " behind"}},
		{"its time zone", "alice", website{}, "Asia/Kolkata", false,
			[]string{"5 hours 30 minutes ahead of UTC", "issuer_timezone"}},
		{"its token secret", "alice", website{Secret: "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"}, "", false,
			[]string{"the issuer's token secret is another one"}},
		{"its OTP seed", "alice", website{Seed: "GEZDGNBVGY3TQOJQ"}, "", false, []string{"the issuer's OTP seed is another one"}},
		{"it signs capitals", "jsmith", website{Address: "JSmith@example.org"}, "", false,
			[]string{"signed with key 1, but for the name with capitals"}},
		{"it signs capitals, and the client sends them", "JSmith", website{Address: "JSmith@example.org"}, "", false,
			[]string{"signed with key 1, but for the name as it was sent", "fold_case"}},
		{"Python 3 writes bytes", "alice", website{Bytes: true}, "", false, []string{"a Python 3 bytes literal"}},
		{"its domain", "alice", website{Address: "alice@chat.example.org"}, "", false,
			[]string{"signed with key 1, but for the domain chat.example.org"}},
		{"a token is used twice", "alice", website{}, "", true, []string{"a token admits one login", "hands one out twice"}},
	} {
		t.Run(c.cause, func(t *testing.T) {
			row, ok := guide[c.cause]
			if !ok {
				t.Fatal("the guide has no row for it")
			}
			delete(guide, c.cause)
			reason, remedy := row[0], row[1]
			issued, token := time.Now(), ""
			if c.zone == "" {
				token = c.site.token(t)
			} else {
				token = mint(t, c.zone).Token
			}
			if c.used {
				if answer := present(t, string(address[1]), c.authcid, token); !strings.Contains(answer, "<success") {
					t.Fatalf("the first login is answered by %s", answer)
				}
			}
			offset := r.log.Len()
			if answer := present(t, string(address[1]), c.authcid, token); !strings.Contains(answer, "</failure>") {
				t.Fatalf("answered by %s", answer)
			}
			r.await(`msg="session closed"`, offset)
			logged := string(r.log.Bytes()[offset:])
			line, _, _ := strings.Cut(logged[strings.Index(logged, `msg="authentication refused"`):], "\n")
			if !strings.Contains(line, " reason="+reason+" ") {
				t.Errorf("logged with another reason than %s:\n%s", reason, line)
			}
			lines, status := explain(t, r.path, issued, c.authcid+"@example.org", token)
			explained := strings.Join(lines, "\n")
			verdict, wantStatus := reason, exitFailure
			if c.used {
				verdict, wantStatus = "ok", exitOK // explain knows no uses
			}
			if lines[0] != verdict || status != wantStatus {
				t.Errorf("explained, with exit status %d:\n%s", status, explained)
			}
			for _, words := range append(c.names, remedy) {
				if !strings.Contains(line, words) {
					t.Errorf("the log does not say %q:\n%s", words, line)
				}
				if !strings.Contains(explained, words) {
					t.Errorf("explain does not say %q:\n%s", words, explained)
				}
			}
		})
	}
	for cause := range guide {
		t.Errorf("the guide has a row for %q, which no test has seen", cause)
	}
}
