// Package extauth answers servers that have their clients themselves and ask an
// external program whether a password is right and whether a user exists: the
// questions, and the two protocols in which ejabberd and Prosody put them on
// standard input. Who knows the answers is a matter of its caller.
package extauth

import (
	"context"
	"strings"
	"unicode/utf8"
)

// Verb is what a server wants to know.
type Verb string

const (
	// CheckPassword asks whether the password is a good token of the user, which
	// is spent by the question.
	CheckPassword Verb = "check_password"
	// UserExists asks whether the server should take the user for one it has.
	UserExists Verb = "user_exists"
)

// Question is one of a server. All of it is the server's word, and the password
// a secret.
type Question struct {
	Verb     Verb   `json:"verb"`
	User     string `json:"user"`   // localpart
	Server   string `json:"server"` // domainpart
	Password string `json:"password,omitempty"`
}

// Answer answers a question. An error says that nobody can tell at the moment.
type Answer func(context.Context, Question) (yes bool, err error)

// MaxQuestionBytes bounds a question as the server puts it. The longest name, domain
// and token (RFC 7622 §3.1, package sasl) have 5,118 bytes.
const MaxQuestionBytes = 8192

// Parse takes a question apart: verb, user and server, and the password behind
// them, with colons between. Neither a localpart nor the name of a domain holds a
// colon (RFC 7622 §3.2, §3.3.1), but a password may. ok is false for what is not
// ours to answer: also for the questions that want an account made, changed or
// removed, as xtokend has none.
func Parse(text string) (q Question, ok bool) {
	if len(text) > MaxQuestionBytes || !utf8.ValidString(text) {
		return Question{}, false
	}
	verb, rest, _ := strings.Cut(text, ":")
	user, rest, named := strings.Cut(rest, ":")
	if !named || user == "" {
		return Question{}, false
	}
	switch verb {
	case "auth":
		server, password, given := strings.Cut(rest, ":")
		return Question{Verb: CheckPassword, User: user, Server: server, Password: password}, given && server != ""
	case "isuser":
		return Question{Verb: UserExists, User: user, Server: rest}, rest != "" && !strings.Contains(rest, ":")
	}
	return Question{}, false
}
