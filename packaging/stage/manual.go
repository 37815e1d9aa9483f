package main

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
)

var (
	tableLine = regexp.MustCompile(`^(?:# )?(\[+[a-z_.]+\]+)$`)
	keyLine   = regexp.MustCompile(`^(?:# )?([a-z0-9_]+ = .*?)(?:\s+# (.*))?$`)
	itemLine  = regexp.MustCompile(`^ +- (.*)$`)
)

// settingsPage puts what the annotated settings say of each key into a manual
// page, in place of its line @SETTINGS@: so they are explained once. What stands
// before the first blank line of the file is about the file itself, and is left out
// up to its first empty comment.
func settingsPage(page, annotated []byte) []byte {
	m := &manual{headed: true}
	_, body, _ := strings.Cut(string(annotated), "\n#\n")
	for line := range strings.Lines(body) {
		m.line(strings.TrimRight(line, "\n"))
	}
	m.flush()
	return bytes.Replace(page, []byte("@SETTINGS@\n"), m.out.Bytes(), 1)
}

// manual makes a manual page in the macros of man(7) from annotated settings.
type manual struct {
	out    bytes.Buffer
	headed bool     // nothing has followed the last heading
	text   []string // what is said of keys, or of a table; a line that is empty parts paragraphs
	keys   []string // that it is said of
}

func (m *manual) line(line string) {
	if found := tableLine.FindStringSubmatch(line); found != nil {
		m.flushKeys()
		fmt.Fprintf(&m.out, ".SS %s\n", literal(found[1]))
		m.headed = true
		m.flush()
		return
	}
	if found := keyLine.FindStringSubmatch(line); found != nil {
		m.keys = append(m.keys, found[1])
		if found[2] != "" { // which is said of this key alone
			m.text = append(m.text, found[2])
			m.flush()
		}
		return
	}
	comment, ok := strings.CutPrefix(line, "#")
	if !ok {
		m.flush()
		return
	}
	m.flushKeys()
	m.text = append(m.text, strings.TrimPrefix(comment, " "))
}

// flushKeys writes keys and what is said of them, if there are any.
func (m *manual) flushKeys() {
	if len(m.keys) > 0 {
		m.flush()
	}
}

// flush writes what was read.
func (m *manual) flush() {
	for i, key := range m.keys {
		macro := ".TP 7"
		if i > 0 {
			macro = ".TQ"
		}
		fmt.Fprintf(&m.out, "%s\n\\fB%s\\fR\n", macro, literal(key))
	}
	if len(m.keys) == 0 && len(m.text) > 0 && !m.headed {
		m.out.WriteString(".PP\n")
	}
	m.headed = m.headed && len(m.keys) == 0 && len(m.text) == 0
	within, listed := len(m.keys) > 0, false
	for _, line := range m.text {
		switch item := itemLine.FindStringSubmatch(line); {
		case item != nil:
			fmt.Fprintf(&m.out, ".IP \\(bu 2\n%s\n", prose(item[1]))
			listed = true
		case listed && !strings.HasPrefix(line, " "):
			fmt.Fprintf(&m.out, ".PP\n%s\n", prose(line))
			listed = false
		case line != "":
			fmt.Fprintf(&m.out, "%s\n", prose(strings.TrimSpace(line)))
		case within:
			m.out.WriteString(".IP\n")
		default:
			m.out.WriteString(".PP\n")
		}
	}
	m.keys, m.text = nil, nil
}

var inQuotes = regexp.MustCompile("`([^`]*)`")

// prose writes a line of text, with what stands in backquotes in bold.
func prose(line string) string {
	line = inQuotes.ReplaceAllStringFunc(line, func(s string) string { return "\x00" + strings.Trim(s, "`") + "\x01" })
	line = strings.NewReplacer("\x00", `\fB`, "\x01", `\fR`).Replace(escape(line))
	if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
		line = `\&` + line // no macro
	}
	return line
}

// literal writes what is typed as it stands.
func literal(text string) string { return strings.ReplaceAll(escape(text), "-", `\-`) }

// escape keeps roff from taking signs for others (groff_char(7)).
func escape(text string) string {
	return strings.NewReplacer(`\`, `\e`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`).Replace(text)
}
