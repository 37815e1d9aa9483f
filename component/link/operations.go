package link

import (
	"context"

	"mellium.im/xmpp/jid"
)

// Operations are what the domain's admins can have done through the component.
// The methods are called from several goroutines at a time, for users of the
// domain alone, by bare JID.
type Operations interface {
	// Status says how the program and the domain are. The context bounds the
	// time to find out.
	Status(ctx context.Context) []Fact

	// EndSessions ends the user's sessions at this node, and returns how many.
	EndSessions(user jid.JID) int

	// Revoke refuses from now on, at every node of the same replay store, the
	// user's tokens that were issued before now, and ends the user's sessions. It
	// returns how many it has ended here. The error says that nothing was revoked,
	// though sessions may have ended; it goes to the log alone.
	Revoke(ctx context.Context, user jid.JID) (int, error)
}

// Fact is a field of what [Operations].Status says, to be read by people.
type Fact struct {
	Var    string   // unique among them, such as "uptime"
	Label  string   // what it is called
	Values []string // one, or one a line
}
