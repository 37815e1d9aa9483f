// Package issuer hands one-time tokens for XMPP to the users of a web site that is written in Go. Take it over as it is,
// or as a beginning.
package issuer

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
	"golang.org/x/text/unicode/norm"

	"xtokend/auth"
)

// Issuer answers a credentials URL. All fields but FoldCase must be set; none may be changed once it serves. Its
// methods may be called from any goroutine.
type Issuer struct {
	Key    auth.Key
	Domain string // of the users' XMPP addresses

	// FoldCase admits user ids that XMPP changes, such as JSmith, which becomes jsmith. Set it only where no two ids are
	// the same but for letter case or Unicode form: their owners would share one account.
	FoldCase bool

	// UserID returns the id of the user who is logged in to the site; "" if nobody is.
	UserID func(*http.Request) string

	// Report is told of users who cannot have an account. No error holds a secret or a token.
	Report func(error)
}

// Credentials are what a credentials URL answers.
type Credentials struct {
	JID      string `json:"jid"`
	Password string `json:"password"` // a token, for one login
}

// Credentials makes new ones for a user, of that moment. An error says why the user id cannot have an account.
func (i *Issuer) Credentials(userID string, at time.Time) (Credentials, error) {
	name, err := i.name(userID)
	if err != nil {
		return Credentials{}, err
	}
	token, err := i.Key.Issue(name, i.Domain, at)
	return Credentials{name.Localpart() + "@" + i.Domain, token}, err
}

// name returns the part of the user's address in front of the @, escaped by XEP-0106.
func (i *Issuer) name(userID string) (auth.Name, error) {
	folded := fold(userID)
	if folded != userID && !i.FoldCase {
		return auth.Name{}, fmt.Errorf("the user id %q would become %q in XMPP: set FoldCase, if no two user ids are the same but for letter case", userID, folded)
	}
	if strings.Trim(folded, " ") != folded {
		return auth.Name{}, fmt.Errorf("the user id %q begins or ends with a space (XEP-0106 §4.1)", userID)
	}
	escaped := escape(folded)
	name, err := auth.PrepareName(escaped)
	switch {
	case err != nil:
		return auth.Name{}, fmt.Errorf("the user id %q: %w", userID, err)
	case name.Localpart() != escaped:
		// Full-width letters, for one, would be read as plain ones.
		return auth.Name{}, fmt.Errorf("the user id %q holds characters that servers read as others", userID)
	}
	return name, nil
}

func fold(userID string) string {
	// At the end of a word Σ would become ς, which servers read as σ.
	lower := cases.Lower(language.Und, cases.HandleFinalSigma(false))
	return norm.NFC.String(lower.String(norm.NFC.String(userID)))
}

// A backslash is escaped only where it would begin an escape (XEP-0106 §4.2).
var escaped = regexp.MustCompile(`[ "&'/:<>@]|\\(?:20|22|26|27|2f|3a|3c|3e|40|5c)`)

func escape(name string) string {
	return escaped.ReplaceAllStringFunc(name, func(found string) string {
		return fmt.Sprintf(`\%02x%s`, found[0], found[1:])
	})
}

// ServeHTTP answers the user who is logged in.
func (i *Issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		answer(w, http.StatusMethodNotAllowed, problem{"use GET"})
		return
	}
	// Browsers say by this header which page asks. Pages of other origins cannot read the answer; this is a second lock.
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
	default:
		answer(w, http.StatusForbidden, problem{"for pages of this site alone"})
		return
	}
	userID := i.UserID(r)
	if userID == "" {
		answer(w, http.StatusForbidden, problem{"log in to the site first"})
		return
	}
	credentials, err := i.Credentials(userID, time.Now())
	if err != nil {
		i.Report(err)
		answer(w, http.StatusForbidden, problem{"this user id cannot have a chat account"})
		return
	}
	answer(w, http.StatusOK, credentials)
}

type problem struct {
	Error string `json:"error"`
}

func answer(w http.ResponseWriter, status int, body any) {
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "no-store") // the answer is a login
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a browser that has gone needs no answer
}
