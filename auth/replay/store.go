// Package replay remembers which one-time tokens have been used, so that each admits one login.
//
// [Store] is the contract; [Memory] forgets at the end of the process, [File] survives it, kill -9 and power loss
// included, and [Redis] is shared by several processes. Package replaytest holds the suite that every implementation must pass.
//
// A step is a TOTP interval of 30 seconds, numbered from the Unix epoch (RFC 6238 §4). A store has no clock of its own
// for its decisions: each [Use] brings the window of the moment along, and what the window, present or future, cannot
// hold again is let go. A store never lets go of anything for want of room.
package replay

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// StepSeconds is the length of a step (RFC 6238 §4.1, its default).
const StepSeconds = 30

// DefaultMax is the number of uses that a store keeps when its options name none.
const DefaultMax = 1 << 20

// A Window says which steps are accepted at the moment of a use.
type Window struct {
	First   int64 // lowest step that this window or any later one can hold
	Current int64 // the step of the verifier's clock
	Last    int64 // highest step that this window holds
}

// A Use is one token of a good signature and inside the window, about to be used up.
type Use struct {
	Domain  string   // uses of different domains are independent of each other
	Address string   // the user's prepared localpart, as revocations name it
	ID      [32]byte // identifies user, one-time password and nonce within Domain; the same three give the same ID
	Step    int64    // the highest step of the window that the one-time password belongs to
	Window  Window
}

// A Revocation refuses the tokens of one user of every step up to and including Through.
type Revocation struct {
	Domain  string
	Address string
	Through int64
	Window  Window
}

// A Store records uses and revocations. All methods may be called concurrently.
//
// Use checks and records in one atomic act. It first lets go of uses of steps below u.Window.First and of revocations
// through steps below it. The steps let go so, of a revocation those of the two days up to its last one, are released:
// they stay so, whatever the clock does later, for as long as the store's records last. What lies between released
// steps is released too if the gap is at most a day, or if a domain has more runs of released steps than a store keeps
// (at least 16): then its narrowest gap is. So a clock that was years ahead for a while leaves the time until then usable.
// Use then refuses, in this order, with
//
//   - [ErrLost]: a use of that step may have been forgotten, because the records were lost;
//   - [ErrRevoked]: a revocation of the user covers the step;
//   - [ErrReleased]: the step is released;
//   - [ErrReplayed]: the ID is known;
//   - [ErrFull]: there is no room. Nothing that is live is evicted.
//
// A nil error means that the use is recorded as durably as the store promises and was not known before. Any error that
// is none of these means that the store could not answer; the use may or may not be recorded, and its token must be
// refused. The context bounds the wait only. Where later tokens will do, the error is a *[PeriodError].
//
// Revoke makes later uses of steps up to r.Through fail. Of several revocations of a user the furthest counts. A
// nil error means that it is as durable as a use. Close ends the store; every later call fails with [ErrClosed].
type Store interface {
	Use(ctx context.Context, u Use) error
	Revoke(ctx context.Context, r Revocation) error
	Close() error
}

// The errors of a [Store].
var (
	ErrReplayed = errors.New("replay: used before")
	ErrRevoked  = errors.New("replay: revoked")
	ErrReleased = errors.New("replay: of a step whose uses were already let go")
	ErrLost     = errors.New("replay: earlier uses were lost")
	ErrFull     = errors.New("replay: store is full; raise its bound or wait until uses expire")
	ErrClosed   = errors.New("replay: store is closed")
)

// A PeriodError is [ErrLost] or [ErrReleased], with the moment at which the first step begins that is not refused for
// the same cause.
type PeriodError struct {
	Err   error
	Until time.Time // UTC
}

// Error implements error.
func (e *PeriodError) Error() string {
	return fmt.Sprintf("%v: tokens of steps before %s are refused", e.Err, e.Until.Format(time.RFC3339))
}

// Unwrap returns e.Err.
func (e *PeriodError) Unwrap() error { return e.Err }

// through makes a PeriodError of the last step that is refused.
func through(step int64, err error) *PeriodError {
	return &PeriodError{Err: err, Until: stepTime(step + 1)}
}
