package migrate

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// quote writes a string of TOML. What Go and TOML escape differs only in what has
// no place in a path or a name.
func quote(s string) string { return strconv.QuoteToGraphic(s) }

func list(items []string) string {
	quoted := make([]string, len(items))
	for i, item := range items {
		quoted[i] = quote(item)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

func (m *migration) secretPath(host, name string) string {
	return filepath.Join(m.Folder, m.secretName(host, name))
}

// publicURLs are for host-meta: they are known if Prosody is told its own address.
func (m *migration) publicURLs(host string) []string {
	external, ok := m.settings.Get(host, "http_external_url").(string)
	site, isTLS := strings.CutPrefix(strings.TrimRight(external, "/"), "https://")
	if !ok || !isTLS || m.keepHTTP || !m.forBrowsers() {
		return nil
	}
	return []string{"wss://" + site + "/xmpp-websocket", "https://" + site + "/http-bind"}
}

// settingsFile puts xtokend.toml before the secrets that it names.
func (m *migration) settingsFile(text string) error {
	path := filepath.Join(m.Folder, "xtokend.toml")
	before, _ := os.ReadFile(path) // none: it is new
	secrets, err := secretsInTOML(string(before))
	if err != nil {
		return fmt.Errorf("%s is no TOML, so that what is secret there cannot be hidden: move it away", path)
	}
	m.secrets = append(m.secrets, secrets...)
	m.Own = append([]File{{Path: path, Before: string(before), After: text}}, m.Own...)
	return nil
}
