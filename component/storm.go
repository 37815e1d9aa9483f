package component

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// stormPerSecond and stormBurst bound the lines that one cause of trouble
	// may write: an outage makes every client try again and again.
	stormPerSecond = 1
	stormBurst     = 10
)

// stormHandler lets a bounded number of lines through and says in the next one
// how many were left out.
type stormHandler struct {
	slog.Handler
	state *stormState
}

type stormState struct {
	now     func() time.Time
	limiter *rate.Limiter
	mu      sync.Mutex
	omitted int
}

func newStormHandler(h slog.Handler, now func() time.Time) slog.Handler {
	return stormHandler{h, &stormState{now: now, limiter: rate.NewLimiter(stormPerSecond, stormBurst)}}
}

func (h stormHandler) Handle(ctx context.Context, r slog.Record) error {
	h.state.mu.Lock()
	if !h.state.limiter.AllowN(h.state.now(), 1) {
		h.state.omitted++
		h.state.mu.Unlock()
		return nil
	}
	omitted := h.state.omitted
	h.state.omitted = 0
	h.state.mu.Unlock()
	if omitted > 0 {
		r.AddAttrs(slog.Int("similar_lines_omitted", omitted))
	}
	return h.Handler.Handle(ctx, r)
}

func (h stormHandler) WithAttrs(a []slog.Attr) slog.Handler {
	return stormHandler{h.Handler.WithAttrs(a), h.state}
}

func (h stormHandler) WithGroup(name string) slog.Handler {
	return stormHandler{h.Handler.WithGroup(name), h.state}
}
