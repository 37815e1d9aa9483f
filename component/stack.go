package component

// stackBytes is what a session needs until its stream is open, and at its end, logging
// included.
const stackBytes = 8 << 10

// growStack has the goroutine's stack grow to what the session will need while there is
// next to nothing on it. By itself it would be copied each time that it doubles, with
// more on it each time: 5 % of a login. The collector makes that of an idle session small
// again.
//
//go:noinline
func growStack(i int) byte {
	var room [stackBytes]byte
	return room[i] // of an unknown i, or the compiler would take the room away
}
