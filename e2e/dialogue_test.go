package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// A dialogue is what the sessions of a few users say to their server, and what
// they hear. A file of testdata/transcripts/sessions holds several:
//
//	== name of the dialogue
//	over: xmpp ws http         the services, if not xmpp alone; see site.service
//	except ejabberd: WHY       not played on that upstream, which rightly or by age differs
//	alice/desk: STREAM         authenticated; the features are the first thing heard
//	alice/desk: LOGIN          bound to the resource desk, not yet available
//	alice/desk: ONLINE         … and available, interested in its roster (RFC 6121 §2.2)
//	alice/desk: END            ends its stream
//	alice/desk: DROP           loses its connection
//	alice/desk> XML            the session sends this
//	alice/desk>? XML           … if it has heard what the {{names}} in it stand for
//	alice/desk< XML            it hears this next
//	alice/desk< EOF            it hears the end of the stream
//	alice/desk<~ XML           it hears this, in any order with neighbouring lines of the kind
//	alice/desk<? XML           it may have heard this by now
//	| XML                      … or this: for the line above
//	BEFRIEND alice/desk bob/x  each subscribes to the other; what is heard of that is dropped
//	MEET tea@conference.example.org alice/desk=Alice bob/x=Bob
//	                           the first makes the room, the others join it; as above
//	QUIET                      nobody has heard anything else
//
// A dialogue ends with QUIET: all that a session hears must be written down. A
// line takes effect before the next line's does: before somebody else sends, the
// player makes a round trip with those who have sent. Lines that begin with two
// spaces continue the one above; empty ones and those that begin with # are
// skipped.
//
// Each dialogue has users and rooms of its own: alice@example.org stands for
// somebody with another name, unknown@example.org for one who never logs in. What
// the XML may hold is told at pattern.
type dialogue struct {
	file, name string
	services   []string
	except     []upstream
	lines      []dialogueLine
}

type dialogueLine struct {
	number  int    // in the file
	session string // empty: a command to the player
	verb    string // ":", ">", ">?", "<", "<~", "<?"
	text    string
	or      []string // alternatives
}

var (
	dialogueSession = regexp.MustCompile(`^([a-z]+(?:/[^ ]+?)?)(:|>\?|>|<~|<\?|<) (.+)$`)
	dialogueRoom    = regexp.MustCompile(`\b\w+@conference\.example\.org`)
	dialogueNames   = regexp.MustCompile(`\b(?:(alice|bob|carol|dave)@(?i:example\.org)|(\w+)@conference\.example\.org)`)
)

// dialogueTimeout bounds one dialogue, dialoguesTimeout all of them.
const (
	dialogueTimeout  = 30 * time.Second
	dialoguesTimeout = 5 * time.Minute
)

func TestDialogues(t *testing.T) {
	onEachUpstream(t, func(t *testing.T, behind upstream) {
		s := newDialoguesSite(t, behind)
		for _, d := range readDialogues(t) {
			if slices.Contains(d.except, behind) {
				continue
			}
			for _, scheme := range d.services {
				t.Run(d.file+"/"+d.name+"/"+scheme, func(t *testing.T) {
					if behind != stockEjabberd || !d.makesNodes() {
						t.Parallel()
					}
					d.play(t, s, scheme)
				})
			}
		}
	})
}

// newDialoguesSite starts a site for many dialogues at a time.
func newDialoguesSite(t *testing.T, behind upstream) *site {
	t.Helper()
	return newSiteOn(t, behind, func(s *site) {
		ctx, cancel := context.WithTimeout(context.Background(), dialoguesTimeout)
		t.Cleanup(cancel)
		s.ctx = ctx
	})
}

// makesNodes says whether the dialogue makes nodes of pubsub, by publishing. ejabberd
// 23.01 numbers them outside of a transaction: of two that are made at once one may be
// item-not-found, whoever they belong to.
func (d dialogue) makesNodes() bool {
	return slices.ContainsFunc(d.lines, func(line dialogueLine) bool { return strings.Contains(line.text, "<publish ") })
}

func readDialogues(t *testing.T) []dialogue {
	t.Helper()
	files, err := filepath.Glob("../testdata/transcripts/sessions/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no dialogues: %v", err)
	}
	var all []dialogue
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found, err := parseDialogues(strings.TrimSuffix(filepath.Base(file), ".txt"), string(text))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, found...)
	}
	return all
}

func parseDialogues(file, text string) ([]dialogue, error) {
	var all []dialogue
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimRight(line, "\n")
		fault := func(what string) error { return fmt.Errorf("%s.txt:%d: %s: %s", file, number, what, line) }
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if name, ok := strings.CutPrefix(line, "== "); ok {
			all = append(all, dialogue{file: file, name: name, services: []string{"xmpp"}})
			continue
		}
		if len(all) == 0 {
			return nil, fault("a line before the first dialogue")
		}
		d := &all[len(all)-1]
		if rest, ok := strings.CutPrefix(line, "over: "); ok {
			d.services = strings.Fields(rest)
			continue
		}
		if rest, ok := strings.CutPrefix(line, "except "); ok {
			behind, why, _ := strings.Cut(rest, ": ")
			if !slices.Contains(upstreams, upstream(behind)) || why == "" {
				return nil, fault("no upstream, or no reason")
			}
			d.except = append(d.except, upstream(behind))
			continue
		}
		if rest, ok := strings.CutPrefix(line, "  "); ok && len(d.lines) > 0 {
			last := &d.lines[len(d.lines)-1]
			if n := len(last.or); n > 0 {
				last.or[n-1] += strings.TrimSpace(rest)
			} else {
				last.text += strings.TrimSpace(rest)
			}
			continue
		}
		if rest, ok := strings.CutPrefix(line, "| "); ok && len(d.lines) > 0 {
			last := &d.lines[len(d.lines)-1]
			last.or = append(last.or, rest)
			continue
		}
		if m := dialogueSession.FindStringSubmatch(line); m != nil {
			d.lines = append(d.lines, dialogueLine{number: number, session: m[1], verb: m[2], text: m[3]})
			continue
		}
		d.lines = append(d.lines, dialogueLine{number: number, text: line})
	}
	for _, d := range all {
		if len(d.lines) == 0 {
			return nil, fmt.Errorf("%s.txt: %q is empty", file, d.name)
		}
		if first := slices.IndexFunc(all, func(other dialogue) bool { return other.name == d.name }); all[first].lines[0].number != d.lines[0].number {
			return nil, fmt.Errorf("%s.txt: two dialogues are called %q", file, d.name)
		}
	}
	return all, nil
}

// own gives the users and rooms of the text the dialogue's own names.
func (d dialogue) own(text, scheme string) string {
	mark := fmt.Sprintf("-%s%d-%s", d.file, d.lines[0].number, scheme)
	return dialogueNames.ReplaceAllStringFunc(text, func(address string) string {
		local, domain, _ := strings.Cut(address, "@")
		return local + mark + "@" + domain
	})
}
