// Package bosh is the connection manager's side of one BOSH session (XEP-0124,
// XEP-0206) as a pure state machine: no goroutine, no HTTP, no clock.
//
// [New] begins a [Session] with the client's creation request. From then on
// whoever drives it feeds requests, outgoing units and the passing of time in,
// and takes replies and incoming units out. XML is opaque to it: a unit is the
// bytes of a stream header, a whole element or a stream end.
//
// What it holds of XEP-0124: the rid window (§14.1, §14.2), repeated requests
// (§14.3), key sequences (§15), acknowledgements (§9), inactivity and pauses
// (§10), overactivity (§11), polling sessions (§12), termination (§13), error
// conditions (§17) and what legacy clients get in their place (§17.1). Several
// streams in one session (§16) are not supported, as §16.1 allows. Of XEP-0206
// it holds stream restarts (§5) and where a stream's attributes go (§4).
package bosh
