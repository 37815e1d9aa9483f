package e2e

import (
	"encoding/xml"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// complaints are requests of pages with converse.js that were refused, and what the
// pages warn of on their consoles. Each is put in words that are the same for every
// user.
type complaints struct {
	mu    sync.Mutex
	heard map[string]string // example by complaint
}

func (c *complaints) add(complaint, example string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.heard == nil {
		c.heard = map[string]string{}
	}
	c.heard[complaint] = example
}

// knownComplaints are those that only pages on the built-in host have.
var knownComplaints = []string{
	// Without XEP-0402's feature converse.js looks for bookmarks at the older node;
	// a new user has none at either.
	"get iq for the account: pubsub http://jabber.org/protocol/pubsub, items http://jabber.org/protocol/pubsub storage:bookmarks",
}

// wantNoMoreThan fails the test for each complaint that the other has not.
func (c *complaints) wantNoMoreThan(t *testing.T, other *complaints) {
	t.Helper()
	for _, complaint := range slices.Sorted(maps.Keys(c.heard)) {
		if _, ok := other.heard[complaint]; !ok && !slices.Contains(knownComplaints, complaint) {
			t.Errorf("only here: %s\n%s", complaint, c.heard[complaint])
		}
	}
}

// questions are what a page has asked, by id, to say what an error is the answer to.
type questions map[string]element

// listen takes note of what passes between a page and its server.
func (w *window) listen(event browserMessage, to *complaints) {
	var unit element
	if xml.Unmarshal([]byte(event.Text), &unit) != nil {
		return // of a request that was cut off nothing is known
	}
	stanzas := []element{unit}
	if unit.XMLName.Local == "body" { // of BOSH
		stanzas = unit.Children
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range stanzas {
		id := s.XMLName.Local + " " + s.attribute("id")
		switch {
		case event.Sent:
			w.asked[id] = s
		case s.attribute("type") == "error":
			to.add(w.refusal(w.asked[id], s), event.Text)
		}
	}
}

// refusal says what was refused; with which condition is the server's choice.
func (w *window) refusal(asked, answer element) string {
	text := fmt.Sprintf("%s %s for %s", asked.attribute("type"), answer.XMLName.Local, w.relation(asked.attribute("to")))
	separator := ": "
	for e := asked; len(e.Children) > 0; separator = ", " {
		e = e.Children[0]
		text += separator + strings.TrimSpace(e.XMLName.Local+" "+e.XMLName.Space+" "+e.attribute("node"))
	}
	return text
}

// relation says whose an address is.
func (w *window) relation(address string) string {
	bare, resource, _ := strings.Cut(address, "/")
	_, at, isUser := strings.Cut(bare, "@")
	whose := "somebody of " + at
	switch {
	case bare == w.jid || address == "":
		whose = "the account"
	case !isUser:
		whose = bare
	}
	if resource != "" {
		whose += ", a resource"
	}
	return whose
}

var nameOrNumber = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}|[\pL]+-\d+|\d+`)

var ofConnection = regexp.MustCompile(`^(WebSocket connection to|Websocket (closed|error))`)

// console takes note of a warning.
func (w *window) console(text string, to *complaints) {
	line, _, _ := strings.Cut(text, "\n")
	w.mu.Lock()
	ofCut := w.isCut && ofConnection.MatchString(line)
	w.mu.Unlock()
	if ofCut {
		return
	}
	to.add("console: "+nameOrNumber.ReplaceAllString(line, "…"), text)
}
