package e2e

import (
	"bytes"
	"maps"
	"regexp"
	"slices"
	"sync"
	"testing"
)

// private is what passes between clients and xtokend that nobody else may learn:
// what people write, initial responses, sids, and ids of resumable sessions. A nil
// one keeps nothing.
type private struct {
	mu    sync.Mutex
	texts map[string]bool
}

func newPrivate() *private { return &private{texts: map[string]bool{}} }

// privateBytes is how long a text must be, so that no other word is taken for it.
const privateBytes = 8

func (p *private) add(text string) {
	if p == nil || len(text) < privateBytes {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.texts[text] = true
}

var privateText = regexp.MustCompile(`<(?:body|auth|response)\b[^>]*>([^<]+)</` +
	`|<body\b[^>]*\ssid=['"]([^'"]+)` + `|<enabled\b[^>]*\sid=['"]([^'"]+)`)

// addFrom looks for such texts in what has been sent.
func (p *private) addFrom(sent string) {
	if p == nil {
		return
	}
	for _, found := range privateText.FindAllStringSubmatch(sent, -1) {
		for _, text := range found[1:] {
			p.add(text)
		}
	}
}

func (p *private) list() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Collect(maps.Keys(p.texts))
}

// headBytes is how much of a text decides where it is looked for.
const headBytes = 8

// heldBy returns those of the texts that written holds. There may be many of them,
// such as all tokens of a test, so that written is gone through but once.
func heldBy(written []byte, texts []string) []string {
	var held []string
	byHead := map[[headBytes]byte][]string{}
	for _, text := range texts {
		switch {
		case len(text) >= headBytes:
			head := [headBytes]byte([]byte(text[:headBytes]))
			byHead[head] = append(byHead[head], text)
		case bytes.Contains(written, []byte(text)):
			held = append(held, text)
		}
	}
	for at := 0; at+headBytes <= len(written); at++ {
		for _, text := range byHead[[headBytes]byte(written[at:])] {
			if bytes.HasPrefix(written[at:], []byte(text)) {
				held = append(held, text)
			}
		}
	}
	return held
}

func TestForbiddenTextsAreFound(t *testing.T) {
	texts := []string{"short", "a long text", "a long tail", "at the very end"}
	for _, tt := range []struct {
		written string
		want    int
	}{
		{"", 0},
		{"nothing of the kind", 0},
		{"a long te", 0},
		{"with a long tail in it", 1},
		{"shorta long texta long tail", 3},
		{"it is at the very end", 1},
	} {
		if held := heldBy([]byte(tt.written), texts); len(held) != tt.want {
			t.Errorf("%q holds %q, want %d texts", tt.written, held, tt.want)
		}
	}
}

func TestWhatIsPrivateIsFound(t *testing.T) {
	p := newPrivate()
	for _, sent := range []string{
		"<message to='bob@example.org'><body xml:lang='en'>between us</body></message>",
		"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='X-TOKEN'>AGFsaWNlAHRva2Vu</auth>",
		"<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>AGFsaWNlADEyMzQ1</response>",
		"<message><body>short</body></message>", "<presence/>", "<body", "<body>cut here",
		`<body xmlns="http://jabber.org/protocol/httpbind" rid="1" sid="0123456789abcdef"><presence/></body>`,
		"<enabled xmlns='urn:xmpp:sm:3' resume='true' id='fedcba9876543210'/>",
	} {
		p.addFrom(sent)
	}
	got := p.list()
	slices.Sort(got)
	if want := []string{"0123456789abcdef", "AGFsaWNlADEyMzQ1", "AGFsaWNlAHRva2Vu", "between us", "fedcba9876543210"}; !slices.Equal(got, want) {
		t.Errorf("%q are private, want %q", got, want)
	}
}
