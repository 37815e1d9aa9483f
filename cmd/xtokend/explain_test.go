package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"xtokend/internal/vectors"
)

const (
	vectorSeed   = "XVGR73KMZH2M4XMY"
	vectorSecret = "JYXEX4IQOEYFYQ2S3MC5P4ZT4SDHYEA7"
)

// settings are those of a case; their zero value is not the program's.
type settings vectors.Config

// write writes a settings file as an administrator has it, without the files
// that explain does not need.
func (s settings) write(t *testing.T, domain string) string {
	t.Helper()
	skew := 1
	if s.Skew != nil {
		skew = *s.Skew
	}
	keys := []vectors.Key{{Seed: vectorSeed, Secret: vectorSecret}}
	if s.OldKey != nil {
		keys = append(keys, *s.OldKey)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "listen = [\"xmpp://127.0.0.1:0\"]\n[[domain]]\nname = %q\nupstream = \"server\"\nskew = %d\nfold_case = %t\nissuer_timezone = %q\n",
		domain, skew, s.FoldCase, s.Zone)
	for _, k := range keys {
		fmt.Fprintf(&b, "[[domain.key]]\notp_seed = %q\ntoken_secret = %q\n", k.Seed, k.Secret)
	}
	b.WriteString("[domain.server]\naddresses = [\"127.0.0.1:5322\"]\ntls = \"none\"\naccounts = \"existing\"\naccount_secret_file = \"/not/on/this/machine\"\n[replay]\nstore = \"memory\"\n")
	path := filepath.Join(t.TempDir(), "xtokend.toml")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// explain runs the program and returns its lines and its exit status.
func explain(t *testing.T, path string, at time.Time, jid, token string) (lines []string, status int) {
	t.Helper()
	out, err := exec.Command("xtokend", "explain", "--config", path, "--at", at.Format(time.RFC3339), "--", jid, token).Output()
	status = exitStatus(err)
	var exit *exec.ExitError
	if errors.As(err, &exit) && len(exit.Stderr) > 0 {
		t.Errorf("standard error: %s", exit.Stderr)
	}
	return strings.Split(string(out), "\n"), status
}

func TestExplainGivesEveryVectorItsVerdict(t *testing.T) {
	for _, c := range vectors.Load(t, "../../testdata/tokens.json").Cases {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			lines, status := explain(t, settings(c.Config).write(t, c.Domain), time.Unix(c.Now, 0).UTC(), c.Authcid+"@"+c.Domain, c.Token)
			if lines[0] != c.Want {
				t.Errorf("verdict %q, want %q", lines[0], c.Want)
			}
			wantStatus := exitFailure
			if c.Want == "ok" {
				wantStatus = exitOK
			}
			if status != wantStatus {
				t.Errorf("exit status %d, want %d", status, wantStatus)
			}
			if len(lines) < 2 || lines[1] == "" {
				t.Error("nothing was found")
			}
			if c.Token != "" && strings.Contains(strings.Join(lines[1:], "\n"), c.Token) {
				t.Error("the token is repeated")
			}
		})
	}
}

// Arguments are bytes; not all are text.
func TestExplainTakesOddArguments(t *testing.T) {
	path := settings{}.write(t, "example.org")
	now := time.Unix(1551193138, 0).UTC()
	for name, c := range map[string]struct {
		jid, token string
		status     int
		verdict    string
	}{
		"empty token":         {"alice@example.org", "", exitFailure, "malformed"},
		"newline in token":    {"alice@example.org", "8524917131415926535897932384626433832795\nG9RPwjT6HMjZN3fw8qnhAPvK3Fpfxg+D6EuxKRuRi7w=", exitFailure, "malformed"},
		"token like a flag":   {"alice@example.org", "--config", exitFailure, "malformed"},
		"long token":          {"alice@example.org", strings.Repeat("8", 100_000), exitFailure, "malformed"},
		"token not UTF-8":     {"alice@example.org", "\xff\xfe", exitFailure, "malformed"},
		"name not UTF-8":      {"\xff\xfe@example.org", "x", exitFailure, "malformed"},
		"name like a flag":    {"--help@example.org", "x", exitFailure, "malformed"},
		"empty name":          {"@example.org", "x", exitFailure, "malformed"},
		"name with a newline": {"a\nok@example.org", "x", exitFailure, "malformed"},
		"domain not UTF-8":    {"alice@\xff\xfe", "x", exitUsage, ""},
		"no name at all":      {"", "x", exitUsage, ""},
		"empty domain":        {"alice@", "x", exitUsage, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			command := exec.Command("xtokend", "explain", "--config", path, "--at", now.Format(time.RFC3339), "--", c.jid, c.token)
			var stderr strings.Builder
			command.Stderr = &stderr
			out, err := command.Output()
			verdict, _, _ := strings.Cut(string(out), "\n")
			if status := exitStatus(err); status != c.status || verdict != c.verdict {
				t.Errorf("exit status %d, verdict %q, want %d, %q", status, verdict, c.status, c.verdict)
			}
			if said := stderr.String(); (said != "") != (c.status == exitUsage) || said != "" && !strings.HasPrefix(said, "xtokend: error: ") {
				t.Errorf("standard error %q", said)
			}
		})
	}
}

func TestExplainBoundsStandardInput(t *testing.T) {
	path := settings{}.write(t, "example.org")
	for size, want := range map[int]int{maxTokenBytes: exitFailure, maxTokenBytes + 1: exitUsage} {
		command := exec.Command("xtokend", "explain", "--config", path, "alice@example.org", "-")
		command.Stdin = strings.NewReader(strings.Repeat("8", size))
		if got := exitStatus(command.Run()); got != want {
			t.Errorf("%d bytes: exit status %d, want %d", size, got, want)
		}
	}
}

// What cannot be written must not look like success.
func TestFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	command := exec.Command("xtokend", "keygen")
	command.Stdout = full
	var stderr strings.Builder
	command.Stderr = &stderr
	if got := exitStatus(command.Run()); got != exitFailure || !strings.Contains(stderr.String(), "cannot write") {
		t.Errorf("exit status %d, standard error %q", got, stderr.String())
	}
}
