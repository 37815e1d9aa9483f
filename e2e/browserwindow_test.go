package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"xtokend/internal/watch"
)

// window is a user's own browser window with converse.js in it. A failed command
// fails the test.
type window struct {
	t       *testing.T
	ctx     context.Context
	browser *browser
	user    string // localpart
	jid     string // bare
	login   login

	// wire is what went between page and server, each message or body behind
	// "sent: " or "received: ".
	wire watch.Output
	// fetched gets a line for each token that the page asks for.
	fetched watch.Output

	complaints *complaints // of all windows of the site

	mu     sync.Mutex
	asked  questions
	token  func() string // makes what the page is given
	notes  []string      // warnings of the page
	faults []string      // what no page may do
	known  []string      // texts in faults that are converse.js' own
	isCut  bool          // its connection, by the test
}

// note takes an event of the driver.
func (w *window) note(event browserMessage) {
	switch event.Event {
	case "wire":
		direction := "received"
		if event.Sent {
			direction = "sent"
		}
		fmt.Fprintf(&w.wire, "%s: %s\n", direction, event.Text)
		w.listen(event, w.complaints)
	case "console":
		w.console(event.Text, w.complaints)
		w.mu.Lock()
		w.notes = append(w.notes, event.Text)
		w.mu.Unlock()
	case "fault":
		w.mu.Lock()
		w.faults = append(w.faults, event.Text)
		w.mu.Unlock()
	}
}

func (w *window) do(command string, fields map[string]any, result any) {
	w.t.Helper()
	answer, err := w.browser.do(w.ctx, w.user, command, fields)
	if err == nil && result != nil {
		err = json.Unmarshal(answer, result)
	}
	if err != nil {
		w.t.Fatalf("%s: %s %v: %v", w.user, command, fields, err)
	}
}

// close checks what the page has done meanwhile.
func (w *window) close() {
	ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
	defer cancel()
	if _, err := w.browser.do(ctx, w.user, "close", nil); err != nil {
		w.t.Errorf("%s: close: %v", w.user, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, fault := range w.faults {
		if !slices.ContainsFunc(w.known, func(known string) bool { return strings.Contains(fault, known) }) {
			w.t.Errorf("%s: %s", w.user, fault)
		}
	}
	if w.t.Failed() {
		w.t.Logf("%s: tokens:\n%s\nwire:\n%s\nwarnings:\n%s", w.user, w.fetched.Bytes(), w.wire.Bytes(), strings.Join(w.notes, "\n"))
	}
}

// expectFaults lets close pass over faults with one of these texts, which
// converse.js has before any server.
func (w *window) expectFaults(texts ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.known = append(w.known, texts...)
}

// expectCut lets the page warn of its connection, as often as it tries.
func (w *window) expectCut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.isCut = true
}

// awaitOnline returns when converse.js shows the user's contacts.
func (w *window) awaitOnline() { w.t.Helper(); w.do("online", nil, nil) }

func (w *window) reload()  { w.t.Helper(); w.do("reload", nil, nil) }
func (w *window) logOut()  { w.t.Helper(); w.do("logOut", nil, nil) }
func (w *window) setBusy() { w.t.Helper(); w.do("setBusy", nil, nil) }

func (w *window) addContact(jid string) {
	w.t.Helper()
	w.do("addContact", map[string]any{"jid": jid}, nil)
}

// awaitStatus returns when the contact is shown as online, busy, away or offline.
func (w *window) awaitStatus(jid, status string) {
	w.t.Helper()
	w.do("seeStatus", map[string]any{"jid": jid, "status": status}, nil)
}

// openChat opens the chat with a contact.
func (w *window) openChat(jid string) {
	w.t.Helper()
	w.do("openChat", map[string]any{"jid": jid}, nil)
}

// followLink opens a chat or a room, as to says, by a link of converse.js.
func (w *window) followLink(to, jid string) {
	w.t.Helper()
	w.do("followLink", map[string]any{"to": to, "jid": jid}, nil)
}

func (w *window) awaitOccupant(room, nick string) {
	w.t.Helper()
	w.do("seeOccupant", map[string]any{"jid": room, "nick": nick}, nil)
}

// say types body into the chat or room with that address, which must be open.
func (w *window) say(jid, body string) {
	w.t.Helper()
	w.do("say", map[string]any{"jid": jid, "body": body}, nil)
}

// awaitMessage returns when the chat or room shows body, which must be there once.
// It returns the address that the message is shown to be from.
func (w *window) awaitMessage(jid, body string) (from string) {
	w.t.Helper()
	var message struct {
		From  string
		Count int
	}
	w.do("seeMessage", map[string]any{"jid": jid, "body": body}, &message)
	if message.Count != 1 {
		w.t.Errorf("%s sees %q %d times", w.user, body, message.Count)
	}
	return message.From
}

// awaitWire returns when text has passed between page and server, behind the
// first offset bytes of wire.
func (w *window) awaitWire(text string, offset int) {
	w.t.Helper()
	if err := w.wire.Wait(w.ctx, text, offset); err != nil {
		w.t.Fatalf("%s: between page and server: %v", w.user, err)
	}
}

func (w *window) wireHas(text string, offset int) bool {
	return strings.Contains(string(w.wire.Bytes()[offset:]), text)
}

// handOut has the page given tokens of mint from now on.
func (w *window) handOut(mint func() string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.token = mint
}

func (w *window) nextToken() string {
	w.mu.Lock()
	mint := w.token
	w.mu.Unlock()
	w.noteFetch()
	return mint()
}

func (w *window) noteFetch() { fmt.Fprintln(&w.fetched, time.Now().Format(time.StampMilli)) }

// awaitFetch returns when the page has asked for a token behind the first offset
// bytes of fetched.
func (w *window) awaitFetch(offset int) {
	w.t.Helper()
	if err := w.fetched.Wait(w.ctx, "\n", offset); err != nil {
		w.t.Fatalf("%s: credentials URL: %v", w.user, err)
	}
}

// fetches is how often the page has asked for a token.
func (w *window) fetches() int { return strings.Count(string(w.fetched.Bytes()), "\n") }
