// Package httpguard keeps a fault in the program to the HTTP request that met it.
package httpguard

import (
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync/atomic"
)

// Handler is like next, but for a panic: that is counted, leaves a line with its stack
// in the log and breaks the connection, so that what was written before is not taken
// for an answer.
func Handler(next http.Handler, panics *atomic.Int64, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			switch v {
			case nil:
				return
			case http.ErrAbortHandler: // on purpose
				panic(v)
			}
			panics.Add(1)
			log.Error("a fault in the program ended a request; please report it", "panic", v, "stack", string(debug.Stack()))
			panic(http.ErrAbortHandler)
		}()
		next.ServeHTTP(w, r)
	})
}
