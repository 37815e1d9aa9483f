package link

import (
	"context"
	"fmt"
	"strings"

	"mellium.im/xmpp/jid"
)

const (
	// maxUsers bounds the users that one command is about.
	maxUsers = 20

	nsForms = "jabber:x:data"
)

// adminCommand is an ad-hoc command for admins.
type adminCommand struct {
	node, name string
	form       *form // nil: it needs none
	run        func(ctx context.Context, f *face, by jid.JID, users []jid.JID) command
}

var adminCommands = []adminCommand{
	{"status", "Status of xtokend", nil, status},
	{nsAdmin + "#end-user-session", "End the sessions of users", // XEP-0133 §4.5
		usersForm("End the sessions of users", "The users' clients are disconnected. They may log in again."), endSessions},
	{"revoke", "Revoke users' tokens",
		usersForm("Revoke users' tokens", "Tokens that were issued before now are refused at every node, and the users' sessions end. A newer token is accepted."), revoke},
}

// commandOf returns the command of a node, nil if there is none.
func commandOf(node string) *adminCommand {
	for i := range adminCommands {
		if adminCommands[i].node == node {
			return &adminCommands[i]
		}
	}
	return nil
}

// usersForm asks for users in the field that XEP-0133 §4.5 has for them.
func usersForm(title, instructions string) *form {
	return &form{Type: "form", Title: title, Instructions: instructions, Fields: []field{
		{Var: "FORM_TYPE", Type: "hidden", Values: []string{nsAdmin}},
		{Var: "accountjids", Type: "jid-multi", Label: "The users' addresses, without resource", Required: new(struct{})},
	}}
}

// users reads a form that was filled in. Unless all of it is right it says what
// is wrong, in words for the admin.
func (f *face) users(forms []form) (users []jid.JID, fault string) {
	if len(forms) != 1 || forms[0].Type != "submit" {
		return nil, "submit the form that was given"
	}
	for _, field := range forms[0].Fields {
		switch {
		case field.Var == "FORM_TYPE" && (len(field.Values) != 1 || field.Values[0] != nsAdmin):
			return nil, "submit the form that was given"
		case field.Var != "accountjids":
			continue
		}
		for _, value := range field.Values {
			user, err := jid.Parse(strings.TrimSpace(value))
			switch {
			case len(users) == maxUsers:
				return nil, fmt.Sprintf("these are more than %d users", maxUsers)
			case err != nil || user.Localpart() == "" || !user.Domain().Equal(f.domain):
				return nil, fmt.Sprintf("%.100q is no user of %s", value, f.domain)
			case user.Resourcepart() != "":
				return nil, fmt.Sprintf("%.100q: which session has which resource is not known here; leave the resource out", value)
			}
			users = append(users, user)
		}
	}
	if len(users) == 0 {
		return nil, "give the address of a user"
	}
	return users, ""
}

func status(ctx context.Context, f *face, by jid.JID, _ []jid.JID) command {
	x := &form{Type: "result", Title: "Status of " + softwareName}
	for _, fact := range f.operations.Status(ctx) {
		kind := "text-single"
		if len(fact.Values) > 1 {
			kind = "text-multi"
		}
		x.Fields = append(x.Fields, field{Var: fact.Var, Type: kind, Label: fact.Label, Values: fact.Values})
	}
	return command{Form: x}
}

func endSessions(_ context.Context, f *face, by jid.JID, users []jid.JID) (done command) {
	for _, user := range users {
		n := f.operations.EndSessions(user)
		f.log.Info("sessions ended by an admin", "user", user.String(), "admin", by.String(), "sessions", n)
		done.Notes = append(done.Notes, note{"info", fmt.Sprintf("%s: %s ended", user, sessions(n))})
	}
	return done
}

func revoke(ctx context.Context, f *face, by jid.JID, users []jid.JID) (done command) {
	for _, user := range users {
		n, err := f.operations.Revoke(ctx, user)
		if err != nil {
			f.log.Warn("revocation by an admin has failed", "user", user.String(), "admin", by.String(), "sessions", n, "err", err)
			done.Notes = append(done.Notes, note{"error", fmt.Sprintf("%s: not revoked, and the log of xtokend says why; %s ended", user, sessions(n))})
			continue
		}
		f.log.Info("revoked by an admin", "user", user.String(), "admin", by.String(), "sessions", n)
		done.Notes = append(done.Notes, note{"info", fmt.Sprintf("%s: revoked, %s ended", user, sessions(n))})
	}
	return done
}

func sessions(n int) string {
	if n == 1 {
		return "1 session"
	}
	return fmt.Sprintf("%d sessions", n)
}
