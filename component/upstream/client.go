package upstream

import (
	"context"
	"net/netip"
)

type clientKey struct{}

// WithClient returns a context that tells Open the address of the client whose
// stream is opened, for upstreams that pass it on.
func WithClient(ctx context.Context, address netip.Addr) context.Context {
	return context.WithValue(ctx, clientKey{}, address)
}

// ClientOf is the address that WithClient has put into ctx or a context that it
// comes from; the zero address if there is none.
func ClientOf(ctx context.Context) netip.Addr {
	address, _ := ctx.Value(clientKey{}).(netip.Addr)
	return address
}
