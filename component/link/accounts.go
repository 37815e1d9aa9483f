package link

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"

	"xtokend/component/server"
)

// nsAdmin is the form type of XEP-0133, and with "#" the prefix of its nodes.
const nsAdmin = "http://jabber.org/protocol/admin"

var (
	// ErrNoAccount: there is no account of this name.
	ErrNoAccount = errors.New("the account does not exist")

	// ErrListUnsupported: the server has no command that lists its accounts.
	ErrListUnsupported = errors.New("the server has no command that lists accounts (on Prosody, ask it itself: prosodyctl shell user list DOMAIN)")
)

var (
	_ server.Accounts        = (*Link)(nil)
	_ server.ResourceCounter = (*Link)(nil)
)

// Add makes the account of user, a bare JID of the domain (XEP-0133 §4.1). The
// error is [server.ErrAccountExists] if there is one, and [ErrDown] if the
// server cannot be asked.
func (l *Link) Add(ctx context.Context, user jid.JID, password string) error {
	_, err := l.run(ctx, "add-user", value("accountjid", user.String()),
		value("password", password), value("password-verify", password))
	return err
}

// SetPassword gives an account that exists another password (XEP-0133 §4.6).
// Prosody then ends the user's sessions. The error is [ErrNoAccount] if there
// is no such account, and [ErrDown] if the server cannot be asked.
func (l *Link) SetPassword(ctx context.Context, user jid.JID, password string) error {
	_, err := l.run(ctx, "change-user-password", value("accountjid", user.String()), value("password", password))
	return err
}

// Remove deletes an account with all that belongs to it (XEP-0133 §4.2). The
// error is [ErrNoAccount] if there is no such account, and [ErrDown] if the
// server cannot be asked.
func (l *Link) Remove(ctx context.Context, user jid.JID) error {
	_, err := l.run(ctx, "delete-user", value("accountjids", user.String()))
	return err
}

// List returns the bare JIDs of the domain's accounts (XEP-0133 §4.16). The
// error is [ErrListUnsupported] on servers without that command, Prosody among
// them, and [ErrDown] if the server cannot be asked.
func (l *Link) List(ctx context.Context) ([]jid.JID, error) {
	// ejabberd answers this command without a form, and with one not at all.
	answer, err := l.run(ctx, "get-registered-users-list")
	if err != nil {
		return nil, err
	}
	if answer.Form == nil {
		return nil, errors.New("link: the server's list of accounts is no form")
	}
	var users []jid.JID
	for _, f := range answer.Form.Fields {
		if f.Var != "registereduserjids" {
			continue
		}
		for _, value := range f.Values {
			user, err := jid.Parse(value)
			if err != nil {
				return nil, fmt.Errorf("link: account %.200q in the server's list: %w", value, err)
			}
			users = append(users, user)
		}
	}
	return users, nil
}

// Resources is how many resources of user are bound, those included that wait to be
// resumed (XEP-0198), by the command user-stats (XEP-0133 §4.9). The error is
// [ErrNoAccount] if there is no such account, and [ErrDown] if the server cannot be
// asked.
func (l *Link) Resources(ctx context.Context, user jid.JID) (int, error) {
	answer, err := l.run(ctx, "user-stats", value("accountjid", user.String()))
	if err != nil {
		return 0, err
	}
	if answer.Form != nil {
		for _, f := range answer.Form.Fields {
			if f.Var == "onlineresources" {
				return len(strings.Fields(strings.Join(f.Values, "\n"))), nil
			}
		}
	}
	return 0, errors.New("link: the server does not say which resources are online")
}

// value is a field that is filled in.
func value(name, text string) field { return field{Var: name, Values: []string{text}} }

// run executes a command of XEP-0133 in one stage: its form is submitted with
// the first request. The answer is that of a command which has succeeded.
func (l *Link) run(ctx context.Context, name string, fields ...field) (*command, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	s, err := l.firstSession(ctx)
	if err != nil {
		return nil, err
	}
	c := command{Node: nsAdmin + "#" + name}
	if len(fields) > 0 {
		c.Form = &form{Type: "submit", Fields: append([]field{value("FORM_TYPE", nsAdmin)}, fields...)}
	}
	answer, err := s.request(ctx, l.name.String(), c)
	if err != nil {
		return nil, fmt.Errorf("link: %s: %w", name, err)
	}
	if err := l.outcome(name, answer); err != nil {
		return nil, fmt.Errorf("link: %s: %w", name, err)
	}
	return answer.Command, nil
}

// outcome finds the failure in an answer. ejabberd sends stanza errors; Prosody
// completes a command that has failed, and says so in a note.
func (l *Link) outcome(name string, answer iq) error {
	switch {
	case answer.Type == stanza.ErrorIQ && answer.Error == nil:
		return errors.New("the server answers with an error that says nothing")
	case answer.Type == stanza.ErrorIQ:
		return l.refusal(name, answer.Error)
	case answer.Command == nil || answer.Command.Status != "completed":
		return errors.New("the server has not completed the command in one stage")
	}
	for _, n := range answer.Command.Notes {
		switch text := strings.TrimSpace(n.Text); {
		case n.Type == "error" && text == "Account already exists":
			return server.ErrAccountExists
		case n.Type == "error" && text == "User does not exist":
			return ErrNoAccount
		case n.Type == "error":
			return fmt.Errorf("the server says: %.200q", text)
		// Prosody's delete-user has only this to tell that it has not.
		case name == "delete-user" && strings.Contains(text, "could not be deleted"):
			return ErrNoAccount
		}
	}
	return nil
}

func (l *Link) refusal(name string, e *iqError) error {
	switch c := e.condition(); {
	case c == stanza.Conflict && name == "add-user":
		return server.ErrAccountExists
	case c == stanza.Forbidden || c == stanza.NotAllowed || c == stanza.NotAuthorized:
		return fmt.Errorf("%s is no administrator of %s (on Prosody, in VirtualHost %q: admins = { %q }; on ejabberd, in acl: admin: {server: %s})",
			l.name, l.domain, l.domain, l.name, l.name)
	case name == "get-registered-users-list" && (c == stanza.ItemNotFound || c == stanza.ServiceUnavailable || c == stanza.FeatureNotImplemented):
		return ErrListUnsupported
	case c == stanza.ItemNotFound && (name == "change-user-password" || name == "delete-user"):
		return ErrNoAccount
	case c == stanza.ItemNotFound || c == stanza.ServiceUnavailable || c == stanza.FeatureNotImplemented:
		return fmt.Errorf("the server does not know the command: enable admin_adhoc (Prosody) or mod_adhoc and mod_configure (ejabberd) for %s", l.domain)
	default:
		return fmt.Errorf("the server answers %s %.200q", c, e.text())
	}
}
