package e2e

import (
	"bytes"
	"testing"
)

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
