package doctor

import (
	"context"
	"errors"
	"net"
	"syscall"
)

// redis looks whether the store of used tokens can be reached; whether it suits is seen
// when xtokend starts, which leaves a mark there. The daemon says how it is itself.
func (x *examination) redis(ctx context.Context) {
	if x.Running {
		return
	}
	a := x.about(TopicReplay, "")
	for _, address := range x.Redis {
		conn, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "tcp", address)
		switch {
		case err == nil:
			conn.Close()
			a.ok("somebody answers at %s, where Redis should be", address)
		case errors.Is(err, syscall.ECONNREFUSED):
			a.fail("start Redis, or see url in [replay]: while it cannot be reached nobody can log in", "%s: %v", address, closedEarly(err))
		default:
			a.fail("see url in [replay], and the network between: while Redis cannot be reached nobody can log in", "%s: %v", address, closedEarly(err))
		}
	}
}
