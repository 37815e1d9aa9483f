// Package admin is how the commands of the program talk to the running daemon: a
// small protocol of JSON over HTTP on a Unix socket. Who may connect is a matter
// of the socket's permissions alone.
package admin

import (
	"context"
	"time"

	"xtokend/cmd/xtokend/internal/extauth"
)

// Daemon is what a [Server] lets people ask and tell. Its methods are called from
// any goroutine.
type Daemon interface {
	// Status says how the daemon is. The context bounds the time to find out.
	Status(context.Context) Status
	// Sessions are those that have logged in, the one that logged in first first.
	Sessions() []Session
	// Revoke refuses the tokens of a user, a bare JID as people type it, that were
	// issued before now, and ends the user's sessions. Those are ended too when
	// the tokens could not be revoked, which the error says: it is an *[Error], to
	// be read by people.
	Revoke(ctx context.Context, address string) (Revoked, error)
	// RemoveTrial removes the account of a user, a bare JID, that an examination of
	// the installation has made for itself. Others are refused; one that is not there
	// is no error.
	RemoveTrial(ctx context.Context, address string) error
	// Drain lets nobody new in any more.
	Drain() Drained
	// Answer answers what a server asks through `xtokend extauth`. An error says that
	// it cannot be told at the moment; it is not shown.
	Answer(context.Context, extauth.Question) (yes bool, err error)
}

// Status is how the daemon is.
type Status struct {
	Version   string    `json:"version"`
	Started   time.Time `json:"started"`
	Draining  bool      `json:"draining"`
	NotReady  []string  `json:"not_ready"` // what keeps clients from being served
	Listeners []string  `json:"listeners"`
	Domains   []Domain  `json:"domains"`
	// Sessions have logged in, Unauthenticated ones have not.
	Sessions        int    `json:"sessions"`
	Unauthenticated int    `json:"unauthenticated"`
	Store           Store  `json:"replay_store"`
	Logins          Logins `json:"logins"` // since the start
}

// Domain is one that is served.
type Domain struct {
	Name     string `json:"name"`
	Upstream string `json:"upstream"` // server, host or none
	State    string `json:"state"`    // of the upstream: up, down or unknown; "" if there is none
	Link     string `json:"link"`     // of the component: up, down, or "" if there is none
}

// Store is where used tokens are remembered.
type Store struct {
	Kind  string `json:"kind"`
	State string `json:"state"` // up, down or unknown
}

// Logins counts answered attempts.
type Logins struct {
	Accepted int64 `json:"accepted"`
	Refused  int64 `json:"refused"`
}

// Session is one that has logged in.
type Session struct {
	User       string    `json:"user"`    // bare JID
	Address    string    `json:"address"` // the client's; "" if unknown
	Transport  string    `json:"transport"`
	Mechanism  string    `json:"mechanism"`
	Began      time.Time `json:"began"`
	FromClient int64     `json:"bytes_from_client"`
	ToClient   int64     `json:"bytes_to_client"`
}

// Revoked is what came of a revocation.
type Revoked struct {
	User  string `json:"user"` // as the daemon knows it
	Ended int    `json:"ended"`
}

// Drained is what is left of a daemon that lets nobody new in.
type Drained struct {
	Already bool `json:"already"` // it did so before
	Left    int  `json:"left"`    // sessions, of which some may not have logged in yet
}

// Answered is what a server is told.
type Answered struct {
	Yes bool `json:"yes"`
}

// Error is a refusal, for the person who gave the command.
type Error struct {
	Text  string `json:"error"`
	Hint  string `json:"hint,omitempty"`
	Usage bool   `json:"usage,omitempty"` // the command itself is wrong
}

// Error implements error.
func (e *Error) Error() string { return e.Text }
