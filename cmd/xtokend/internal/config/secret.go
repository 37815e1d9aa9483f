package config

import (
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"sort"
	"strings"
)

// Secret is a text that must not be shown. However it is printed, logged or
// formatted, it reads "[secret]". The zero value is an empty secret.
type Secret struct{ text string }

const hidden = "[secret]"

// Reveal returns the secret itself, for the code that needs it to work.
func (s Secret) Reveal() string { return s.text }

// String returns "[secret]".
func (s Secret) String() string { return hidden }

// Format writes "[secret]", whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { io.WriteString(f, hidden) }

// LogValue returns "[secret]".
func (s Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText returns "[secret]", for encoders.
func (s Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

const variablePrefix = "XTOKEND_"

var toVariable = strings.NewReplacer(".", "_", "[", "_", "]", "")

// variable returns the environment variable for a setting: its path in
// capitals, with underscores between its parts and indexes from 0.
func variable(key string) string {
	return variablePrefix + strings.ToUpper(toVariable.Replace(key))
}

// secret finds a secret in the one of its three places that has it: the file
// itself, the file named by key_file, or the environment. ok is false if it is
// not needed, or if there was a fault.
func (l *loader) secret(needed bool, key string, inline value[Secret], file value[string]) (s Secret, ok bool) {
	name := variable(key)
	l.secretNames[name] = true
	text := get(l, key, inline, Secret{}).text
	path := get(l, key+"_file", file, "")
	if text != "" {
		l.inline = append(l.inline, key)
	}
	if !needed || inline.want != "" || file.want != "" {
		return Secret{}, false
	}
	var given []string
	from := l.environment(name)
	if text != "" {
		given = append(given, key)
	}
	if path != "" {
		given = append(given, key+"_file")
	}
	if from != "" {
		given = append(given, "the environment variable "+name)
	}
	switch {
	case len(given) == 0:
		l.fault(key, fmt.Sprintf("set %s or %s_file, or the environment variable %s", lastPart(key), lastPart(key), name), "is missing")
		return Secret{}, false
	case len(given) > 1:
		l.fault(key, "keep one of them", "is given more than once: %s", strings.Join(given, " and "))
		return Secret{}, false
	case path != "":
		return l.secretFile(key+"_file", path)
	case text != "":
		return l.oneLine(key, "the setting", text)
	}
	return l.oneLine(key, "the environment variable "+name, from)
}

// secretFile reads a secret from its file.
func (l *loader) secretFile(key, path string) (Secret, bool) {
	path = l.path(path)
	text, info, err := readFile(path, maxSecretBytes)
	if err != nil {
		l.fault(key, "the file must exist and be readable by the user that xtokend runs as", "cannot read %s: %v", path, err)
		return Secret{}, false
	}
	if info.Mode().Perm()&0o004 != 0 {
		l.warn(key, "chmod o= "+path, "every user of this machine can read %s", path)
	}
	return l.oneLine(key, path, string(text))
}

// oneLine returns the secret that text from a place is, less the newline that
// editors and echo put at its end.
func (l *loader) oneLine(key, place, text string) (Secret, bool) {
	s := strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
	if s == "" || strings.ContainsAny(s, "\n\r\x00") {
		l.fault(key, "", "%s must hold the secret on one line, and nothing else", place)
		return Secret{}, false
	}
	return Secret{s}, true
}

// inlineSecrets warns when others can read secrets in the settings file.
func (l *loader) inlineSecrets(mode fs.FileMode) {
	if len(l.inline) == 0 || mode.Perm()&0o044 == 0 {
		return
	}
	l.warn("", "chmod 600, or move the secrets to files of their own with "+lastPart(l.inline[0])+"_file",
		"the file holds secrets (%s) and more than its owner can read it (mode %#o)", strings.Join(l.inline, ", "), mode.Perm())
}

// strayVariables warns of environment variables that look like a secret's and
// are none's: a wrong index would otherwise go unnoticed.
func (l *loader) strayVariables() {
	var stray []string
	for _, entry := range l.Environ {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, variablePrefix) && !l.secretNames[name] {
			stray = append(stray, name)
		}
	}
	sort.Strings(stray)
	for _, name := range stray {
		l.warn("", "the environment gives secrets only, such as XTOKEND_DOMAIN_0_KEY_0_OTP_SEED for the first key of the first domain",
			"the environment variable %s belongs to no secret of these settings", name)
	}
}

// lastPart returns the name of a setting without its table.
func lastPart(key string) string { return key[strings.LastIndexByte(key, '.')+1:] }
