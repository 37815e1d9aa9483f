package main

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"

	"xtokend/cmd/xtokend/internal/config"
)

const guidePath = "../../doc/guide.md"

func guide(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(guidePath)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// guideSection is what stands below a heading of the guide, up to the next one.
func guideSection(t *testing.T, heading string) string {
	t.Helper()
	_, section, found := strings.Cut(guide(t), "# "+heading+"\n")
	if !found {
		t.Fatalf("the guide has no section %q", heading)
	}
	section, _, _ = strings.Cut(section, "\n#")
	return section
}

var (
	// Commands are in indented lines, several of them with a pipe or &&, and in the text.
	indentedLine = regexp.MustCompile(`(?m)^ {4,}(\S.*)$`)
	codeInText   = regexp.MustCompile("`([^`\n]+)`")
	inToml       = regexp.MustCompile("(?ms)^( *)```toml\n(.*?)^ *```$")
)

// The program understands each command of its own that the guide shows.
func TestTheGuidesCommandsAreUnderstood(t *testing.T) {
	var lines []string
	for _, pattern := range []*regexp.Regexp{indentedLine, codeInText} {
		for _, m := range pattern.FindAllStringSubmatch(guide(t), -1) {
			lines = append(lines, regexp.MustCompile(`\||&&`).Split(m[1], -1)...)
		}
	}
	understood := make(map[string]bool)
	for _, line := range lines {
		words := strings.Fields(line)
		if len(words) < 2 || filepath.Base(words[0]) != "xtokend" {
			continue
		}
		var out strings.Builder
		exited := func(int) { t.Errorf("%s: ends with %s", line, out.String()) }
		parser := (&process{stdout: &out, stderr: &out}).grammar(exited)
		if _, err := parser.Parse(words[1:]); err != nil && !(len(words) == 2 && isMissingArgument(err)) {
			t.Errorf("%s: %v", line, err)
		}
		understood[words[1]] = true
	}
	for _, command := range []string{"migrate", "check", "accounts", "token", "explain", "keygen", "sessions", "revoke", "status", "version"} {
		if !understood[command] {
			t.Errorf("the guide does not show %s", command)
		}
	}
}

// isMissingArgument: the text may name a command without what it is about.
func isMissingArgument(err error) bool {
	return strings.HasPrefix(err.Error(), "expected ")
}

// whole is a file of settings that the guide's examples are put into.
const whole = `listen = ["xmpp://127.0.0.1:5222"]
[[domain]]
name = "example.org"
[[domain.key]]
otp_seed = "` + vectorSeed + `"
token_secret = "` + vectorSecret + `"
[domain.server]
accounts = "existing"
`

// The program takes the settings in the guide.
func TestTheGuidesSettingsAreTaken(t *testing.T) {
	examples := inToml.FindAllStringSubmatch(guide(t), -1)
	for _, m := range examples {
		var settings, example map[string]any
		if _, err := toml.Decode(whole, &settings); err != nil {
			t.Fatal(err)
		}
		if _, err := toml.Decode(m[2], &example); err != nil {
			t.Errorf("%v:\n%s", err, m[2])
		}
		if domains, ok := example["domain"].([]map[string]any); ok {
			maps.Copy(settings["domain"].([]map[string]any)[0], domains[0])
			delete(example, "domain")
		}
		maps.Copy(settings, example)
		var text strings.Builder
		if err := toml.NewEncoder(&text).Encode(settings); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "xtokend.toml")
		if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := config.Load(path, config.Options{}); err != nil {
			t.Errorf("%v:\n%s", err, m[2])
		}
	}
	if len(examples) < 4 {
		t.Errorf("the guide has %d examples of settings", len(examples))
	}
}

// A word in the text that is written as a setting is one, or the name of something else
// that is known here.
func TestTheGuideNamesSettingsThatExist(t *testing.T) {
	annotated, err := os.ReadFile("../../contrib/xtokend.toml")
	if err != nil {
		t.Fatal(err)
	}
	settings := make(map[string]bool)
	for _, m := range regexp.MustCompile(`(?m)^(?:# )?([a-z0-9_]+) =`).FindAllStringSubmatch(string(annotated), -1) {
		settings[m[1]] = true
	}
	others := map[string]bool{
		"auth_token": true, "sasl_token": true, // of Prosody
		"xmpp_domain": true, "credentials_url": true, // of the website
		"rule_files": true, "scrape_configs": true, // of Prometheus
	}
	metric := regexp.MustCompile(`^xtokend_[a-z_]+$`) // held to the program by the page of them
	metrics, err := os.ReadFile("../../doc/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, m := range codeInText.FindAllStringSubmatch(guide(t), -1) {
		word, _, _ := strings.Cut(m[1], " =")
		word = word[strings.LastIndexByte(word, '.')+1:]
		switch {
		case !regexp.MustCompile(`^[a-z0-9]+(_[a-z0-9]+)+$`).MatchString(word):
		case metric.MatchString(word):
			if !strings.Contains(string(metrics), "\n| `"+word+"` |") {
				t.Errorf("the guide names the metric %s, which is not there", word)
			}
		case !settings[word] && !others[word]:
			t.Errorf("the guide names %s, which is no setting", word)
		default:
			found++
		}
	}
	if found < 15 {
		t.Errorf("the guide names %d settings", found)
	}
}
