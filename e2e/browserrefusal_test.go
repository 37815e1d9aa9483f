package e2e

import (
	"fmt"
	"testing"
)

// refusal is a token that is not taken.
type refusal struct {
	name      string
	token     func(w *webSite, user string) string
	reason    string // in xtokend's log
	condition string // RFC 6120 §6.5
}

const malformedToken = "12345678 is too short for a token"

var refusals = []refusal{
	{
		name:      "expired",
		token:     func(w *webSite, user string) string { return w.tokenAhead(user, -300) },
		reason:    "expired",
		condition: "credentials-expired",
	},
	{
		name:      "of the future",
		token:     func(w *webSite, user string) string { return w.tokenAhead(user, 300) },
		reason:    "expired",
		condition: "credentials-expired",
	},
	{
		name: "replayed",
		token: func(w *webSite, user string) string {
			token := w.issuer.token(user)
			if err := w.logIn(user, token); err != nil {
				return err.Error()
			}
			return token
		},
		reason:    "replayed",
		condition: "not-authorized",
	},
	{
		name:      "forged",
		token:     func(w *webSite, _ string) string { return w.issuer.token("mallory") },
		reason:    "bad-signature",
		condition: "not-authorized",
	},
	{
		name:      "malformed",
		token:     func(*webSite, string) string { return malformedToken },
		reason:    "malformed",
		condition: "malformed-request",
	},
}

// tokenAhead returns a token made by a clock that is seconds ahead.
func (w *webSite) tokenAhead(user string, seconds int) string {
	return w.issuer.issue(request{Authcid: user, Domain: domain, Ahead: seconds})
}

// recover lets the page begin with the refused token: it must fetch another one
// by itself, and get in.
func (r refusal) recover(t *testing.T, w *webSite, to service) {
	alice, bob := w.visit(t, "alice", login{to: to, refused: r.token}), w.visit(t, "bob", login{to: to})
	alice.expectFaults(firstLoginRefused...)
	w.awaitRefusal(alice, r)
	alice.awaitOnline()
	// Over BOSH converse.js takes one more for what it tries in the session that
	// it was refused in.
	tokens := 2
	if to.bosh() {
		tokens = 3
	}
	if n := alice.fetches(); n != tokens {
		t.Errorf("the page asked for %d tokens, not %d", n, tokens)
	}
	bob.awaitOnline()
	bob.followLink("chat", alice.jid)
	bob.say(alice.jid, "tea?")
	alice.awaitWire("<body>tea?</body>", 0)

	alice.reload()
	alice.awaitOnline()
	alice.followLink("chat", bob.jid)
	if w.Server != nil { // it has an archive: no window of the page was there to show it
		alice.awaitMessageFrom(bob, "tea?")
	}
	bob.say(alice.jid, "or coffee?")
	alice.awaitMessageFrom(bob, "or coffee?")
	alice.say(bob.jid, "with milk")
	bob.awaitMessageFrom(alice, "with milk")
}

// firstLoginRefused are faults of converse.js 14 when it was refused before it was
// ever online: it takes the login that succeeds for a reconnection, and does not
// set up all that its windows need before the page is loaded again.
var firstLoginRefused = []string{
	`A "url" property or function must be specified`,
	"Cannot read properties of undefined (reading 'state')",
}

// awaitRefusal returns when both page and log have been told.
func (w *webSite) awaitRefusal(alice *window, r refusal) {
	alice.t.Helper()
	alice.awaitWire(fmt.Sprintf("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><%s/>", r.condition), 0)
	w.awaitFrontLog(alice, fmt.Sprintf("reason=%s condition=%s mechanism=X-TOKEN user=%s", r.reason, r.condition, alice.jid))
}
