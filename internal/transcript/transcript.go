// Package transcript plays dialogues between one client and the front, written down
// byte by byte, on whatever scene a test makes for them.
//
// A file holds several:
//
//	over: tcp starttls          the transports, if a dialogue names no others
//	== name of the dialogue
//	over: tcp                   its own
//	with: upstream=down         settings of the scene
//	OPEN                        client sends a header, front answers with its features
//	C: bytes of the client      a text/template: see functions
//	S: bytes of the front       exactly these; … stands for anything
//	S: EOF                      the front closes the connection
//	LOGIN user                  a good token on the open stream, up to the relay
//	RECONNECT, ANOTHER          go on with a new connection; the old one is closed, or kept
//	CUT                         the upstream breaks its connection
//	SHUTDOWN                    the front is shut down
//
// Empty lines and lines that begin with # are skipped.
package transcript

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

const (
	// Header is the one that a client sends. The domain of all dialogues is
	// example.org.
	Header = `<?xml version='1.0'?><stream:stream to='example.org' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>`

	// FrontHeader is the pattern of the answer.
	FrontHeader = `<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0' xml:lang='en' id='…' from='example.org'…>`
)

// Dialogue is one of a file.
type Dialogue struct {
	File, Name string
	Over       []string // transports
	With       []string // settings that the scene must have, key=value; nil: none
	lines      []string
}

// Read returns the dialogues of the files that a pattern of filepath.Glob names.
func Read(files string) ([]Dialogue, error) {
	names, err := filepath.Glob(files)
	if err != nil || len(names) == 0 {
		return nil, fmt.Errorf("transcript: no files %s: %w", files, err)
	}
	var all []Dialogue
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("transcript: %w", err)
		}
		found, err := parse(strings.TrimSuffix(filepath.Base(name), ".txt"), string(text))
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

func parse(file, text string) ([]Dialogue, error) {
	var over []string
	var all []Dialogue
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if name, ok := strings.CutPrefix(line, "== "); ok {
			all = append(all, Dialogue{File: file, Name: name, Over: over})
			continue
		}
		transports, isOver := strings.CutPrefix(line, "over: ")
		if len(all) == 0 {
			if !isOver {
				return nil, fmt.Errorf("transcript: %s.txt has a line before its first dialogue: %s", file, line)
			}
			over = strings.Fields(transports)
			continue
		}
		d := &all[len(all)-1]
		settings, isWith := strings.CutPrefix(line, "with: ")
		switch {
		case isOver:
			d.Over = strings.Fields(transports)
		case isWith:
			d.With = strings.Fields(settings)
		default:
			d.lines = append(d.lines, line)
		}
	}
	for _, d := range all {
		if len(d.lines) == 0 || len(d.Over) == 0 {
			return nil, fmt.Errorf("transcript: %s.txt: %q is empty, or played over nothing", file, d.Name)
		}
	}
	return all, nil
}

// EndsScene says whether the dialogue breaks the scene for others, by a CUT or a
// SHUTDOWN.
func (d Dialogue) EndsScene() bool {
	return slices.Contains(d.lines, "CUT") || slices.Contains(d.lines, "SHUTDOWN")
}

// Pattern compiles what a dialogue expects; it matches at the beginning of what has
// been received.
func Pattern(text string) *regexp.Regexp {
	return regexp.MustCompile(`^` + strings.ReplaceAll(regexp.QuoteMeta(text), "…", `(?s:.*?)`))
}
