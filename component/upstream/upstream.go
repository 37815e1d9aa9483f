// Package upstream is the contract between the front and what stands behind
// it: a stock server, or a host inside the program.
package upstream

import (
	"context"
	"fmt"
	"net"

	"mellium.im/xmpp/jid"

	"xtokend/sasl"
)

// Upstream opens streams for users whom the front has authenticated.
// Implementations may be called from any goroutine.
type Upstream interface {
	// Open returns a connection on which SASL has just succeeded for user, a
	// bare JID: the next bytes written must be the stream header that restarts
	// the stream (RFC 6120 §6.4.6), and nothing of the answer to it has been
	// read. The caller closes the connection. No deadline is set on it.
	//
	// An error is a [*Refusal] when the server itself says no. Every other
	// error means that the attempt may succeed later.
	//
	// ctx may name the client, see [WithClient]. It bounds the opening; once Open has returned, ctx has no effect on the
	// connection.
	Open(ctx context.Context, user jid.JID) (net.Conn, error)
}

// Refusal is the server's own answer that this user may not log in.
type Refusal struct {
	// Condition is the SASL failure for the client (RFC 6120 §6.5).
	Condition sasl.Condition

	// Reason is one word for the log.
	Reason string

	// Err is the cause, for the log only; it may be nil.
	Err error
}

// Error implements error. The text is for logs, never for a peer.
func (r *Refusal) Error() string {
	if r.Err == nil {
		return fmt.Sprintf("the server refuses the user: %s (%s)", r.Condition, r.Reason)
	}
	return fmt.Sprintf("the server refuses the user: %s (%s): %v", r.Condition, r.Reason, r.Err)
}

// Unwrap returns the cause.
func (r *Refusal) Unwrap() error { return r.Err }
