package migrate

import (
	"regexp"
	"strings"

	"github.com/BurntSushi/toml"

	"xtokend/cmd/xtokend/internal/migrate/luaconfig"
)

// secretName is what options are called that are nobody else's business.
var secretName = regexp.MustCompile(`(?i)secret|passw|seed|token|credential|api_?key`)

// minSecretBytes is below what can be told from other words of the settings.
const minSecretBytes = 4

// secretsOf returns all that looks like a secret by its name, the passwords of
// databases and components included: a diff shows what stands beside a change too.
func secretsOf(s *luaconfig.Settings) []string {
	var secrets []string
	for _, host := range s.Hosts {
		secrets = append(secrets, secretsIn(host.Options)...)
	}
	return secrets
}

// secretsInTOML returns those of settings of xtokend's that are replaced.
func secretsInTOML(text string) ([]string, error) {
	var fields map[string]any
	_, err := toml.Decode(text, &fields)
	return secretsAmong(fields), err
}

func secretsAmong(fields map[string]any) []string {
	var secrets []string
	for name, v := range fields {
		switch v := v.(type) {
		case string:
			if len(v) >= minSecretBytes && secretName.MatchString(name) && !strings.HasSuffix(name, "_file") {
				secrets = append(secrets, v)
			}
		case map[string]any:
			secrets = append(secrets, secretsAmong(v)...)
		case []map[string]any:
			for _, table := range v {
				secrets = append(secrets, secretsAmong(table)...)
			}
		}
	}
	return secrets
}

func secretsIn(fields map[string]luaconfig.Value) []string {
	var secrets []string
	for name, v := range fields {
		switch v := v.(type) {
		case string:
			if text := strings.TrimSpace(v); secretName.MatchString(name) && len(text) >= minSecretBytes {
				secrets = append(secrets, text)
			}
		case *luaconfig.Table:
			secrets = append(secrets, secretsIn(v.Fields)...)
			for _, item := range v.List {
				if t, ok := item.(*luaconfig.Table); ok {
					secrets = append(secrets, secretsIn(t.Fields)...)
				}
			}
		}
	}
	return secrets
}
