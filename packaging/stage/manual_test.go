package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// Every key of the annotated settings, in which every setting is (a test of package
// config holds that), is in the page, with its value, below the heading of its table.
func TestTheSettingsPageIsComplete(t *testing.T) {
	annotated, err := os.ReadFile("../../contrib/xtokend.toml")
	if err != nil {
		t.Fatal(err)
	}
	page := string(settingsPage([]byte("@SETTINGS@\n"), annotated))
	keys := 0
	set := regexp.MustCompile(`^(?:# )?(\[+[a-z_.]+\]+$|[a-z0-9_]+ = )`)
	plain := regexp.MustCompile(`^(?:# )?(\[+[a-z_.]+\]+|[a-z0-9_]+ = ("[^"]*"|\[.*\]|\S+))(?:\s+#.*)?\n`)
	for line := range strings.Lines(string(annotated)) {
		found := plain.FindStringSubmatch(line)
		if found == nil {
			if set.MatchString(strings.TrimSuffix(line, "\n")) {
				t.Errorf("%q is not read: write it on one line, or teach the page about it", line)
			}
			continue
		}
		keys++
		want := strings.ReplaceAll(strings.ReplaceAll(found[1], "-", `\-`), "'", `\(aq`)
		if strings.HasPrefix(want, "[") {
			want = ".SS " + want + "\n"
		} else {
			want = `\fB` + want + "\\fR\n"
		}
		before, after, ok := strings.Cut(page, want)
		if !ok {
			t.Fatalf("%q does not follow in what is left of xtokend.toml(5), which manual.go makes of contrib/xtokend.toml, behind %q",
				want, before[:min(200, len(before))])
		}
		page = after // in the order of the file
	}
	if keys < 60 {
		t.Errorf("only %d keys and tables were found", keys)
	}
}

func TestSettingsPage(t *testing.T) {
	got := string(settingsPage([]byte(".SH SETTINGS\n@SETTINGS@\n.SH FILES\n"), []byte(`# About this file.
#
# Relative paths
# are relative:
#   - 'one' way, or
#     the other;
#   - a third.

# Where. See `+"`xtokend check`"+`.
#
# .And how.
listen = ["a-b"]
# node = ""   # a name

# About the table.
[tls]
# Two of them.
a = 1
# b = 2

# Apart.
`)))
	const want = `.SH SETTINGS
Relative paths
are relative:
.IP \(bu 2
\(aqone\(aq way, or
the other;
.IP \(bu 2
a third.
.TP 7
\fBlisten = ["a\-b"]\fR
.TQ
\fBnode = ""\fR
Where. See \fBxtokend check\fR.
.IP
\&.And how.
a name
.SS [tls]
About the table.
.TP 7
\fBa = 1\fR
.TQ
\fBb = 2\fR
Two of them.
.PP
Apart.
.SH FILES
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
