package replay

import "context"

// An EarlyStore is a [Store] that can say that a use was not known before it is on disk, so that whoever asks can go on
// with what does no harm meanwhile.
type EarlyStore interface {
	Store

	// UseEarly is Use but for that a nil error does not mean that the use is durable yet: it is once the receipt's Wait
	// has returned nil. It is known to all later calls at once. A store may put off recording it until somebody waits.
	UseEarly(ctx context.Context, u Use) (Receipt, error)
}

// A Receipt is for a use that is on its way to where it is kept.
type Receipt interface {
	// Wait returns nil when the use is recorded as durably as the store promises. After any error its token must be
	// refused. The context bounds the wait only.
	Wait(ctx context.Context) error
}

// UseEarly is s.UseEarly if s is an [EarlyStore], and s.Use if not: then there is nothing to wait for, and the receipt
// is nil.
func UseEarly(ctx context.Context, s Store, u Use) (Receipt, error) {
	if early, ok := s.(EarlyStore); ok {
		return early.UseEarly(ctx, u)
	}
	return nil, s.Use(ctx, u)
}
