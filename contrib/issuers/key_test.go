package issuers

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// script runs a program text with the key as its arguments, on a host of that zone.
type script struct {
	name    string
	command func(zone, text string) []string
	make    string // prints credentials of alice, as JSON
	show    string // prints a key by every means of the language, and what comes of wrong ones
}

var scripts = []script{
	{
		"Python",
		func(_, text string) []string {
			return []string{"/usr/bin/python3", "-B", "-c", "import json, sys, traceback\nsys.path.insert(0, 'plone/src/xtokend_plone')\nimport xtoken\n" + text}
		},
		`print(json.dumps(xtoken.credentials(xtoken.Key(*sys.argv[1:]), "alice", "example.org")))`,
		`
key = xtoken.Key(*sys.argv[1:])
print(key, repr(key), [key])
for wrong in ((sys.argv[1] + "1", sys.argv[2]), (sys.argv[1], sys.argv[2] + " "), ("", sys.argv[2]), (sys.argv[1], "")):
    try:
        print("taken:", xtoken.Key(*wrong))
    except ValueError:
        traceback.print_exc()
`,
	},
	{
		"Node",
		func(_, text string) []string {
			return []string{"node", "--input-type=module", "-e", `import { Key, credentials } from "./node/xtoken.mjs"; const a = process.argv.slice(1);` + text}
		},
		`console.log(JSON.stringify(credentials(new Key(...a), "alice", "example.org")))`,
		`
console.log(new Key(...a), String(new Key(...a)), JSON.stringify(new Key(...a)));
for (const wrong of [[a[0] + "1", a[1]], [a[0], a[1] + " "], ["", a[1]], [a[0], ""]]) {
  try { console.log("taken:", new Key(...wrong)); } catch (error) { console.log(error); }
}
`,
	},
	{
		"PHP",
		func(zone, text string) []string {
			return []string{"php", "-d", "date.timezone=" + zone, "-r", "require 'php/XToken.php'; $a = array_slice($argv, 1);" + text, "--"}
		},
		`echo json_encode(XToken\credentials(new XToken\Key(...$a), "alice", "example.org"));`,
		`
$key = new XToken\Key(...$a);
var_dump($key); print_r($key);
foreach ([[$a[0] . "1", $a[1]], [$a[0], $a[1] . " "], ["", $a[1]], [$a[0], ""]] as $wrong) {
    try { echo "taken:"; var_dump(new XToken\Key(...$wrong)); } catch (InvalidArgumentException $error) { echo "refused: $error"; }
}
`,
	},
}

func (s script) run(t *testing.T, zone, text string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), commandTimeout)
	defer cancel()
	command := append(s.command(zone, text), seed, secret)
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = append(os.Environ(), "TZ="+zone)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return out
}

func TestTokensAreOfTheMomentInEveryZone(t *testing.T) {
	for _, s := range scripts {
		for _, zone := range []string{"UTC", "Europe/Amsterdam", "America/New_York", "Asia/Kolkata"} {
			t.Run(s.name+"/"+zone, func(t *testing.T) {
				var made struct{ JID, Password string }
				if err := json.Unmarshal(s.run(t, zone, s.make), &made); err != nil {
					t.Fatal(err)
				}
				if got := verdict(t, "alice", made.Password, time.Now()); made.JID != "alice@example.org" || got != "ok" {
					t.Errorf("of a token for %s xtokend says %s", made.JID, got)
				}
			})
		}
	}
}

func TestKeysAndTheirErrorsShowNoSecret(t *testing.T) {
	for _, s := range scripts {
		t.Run(s.name, func(t *testing.T) {
			out := s.run(t, "UTC", s.show)
			if len(bytes.TrimSpace(out)) == 0 {
				t.Fatal("nothing was printed")
			}
			for _, text := range []string{seed, secret} {
				if bytes.Contains(out, []byte(text)) {
					t.Errorf("a key shows its secret:\n%s", out)
				}
			}
			if got := strings.Count(string(out), "base32") + strings.Count(string(out), "printable ASCII"); got < 4 {
				t.Errorf("%d of 4 wrong keys are named:\n%s", got, out)
			}
		})
	}
}
