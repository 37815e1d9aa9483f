package component_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"xtokend/internal/flood"
)

// Many more strangers than there are places come at once and again and again:
// everybody else logs in, and when they have gone nothing of them is left.
func TestAFloodShutsNobodyOut(t *testing.T) {
	size, _, err := flood.SizeOr(flood.Size{Idle: 200, Slow: 50, Endless: 50, Refused: 20})
	must(t, err)
	sc := &scene{}
	sc.config.Now = time.Now // the flood's failed attempts are forgotten in the end
	sc.config.Limits.Unauthenticated = size.Idle / 10
	sc.config.Limits.FailedPerMinutePerAddress = 10
	sc.config.Limits.NegotiationTimeout = patience
	sc.start(t)
	transports := []string{"tcp", "starttls", "tls", "websocket", "bosh"}
	logins := func() {
		for _, transport := range transports {
			client := sc.dial(t, transport)
			client.login(sc, "alice")
			client.send("</stream:stream>")
			client.expect("</stream:stream>")
			client.conn.Close()
		}
	}
	logins() // what is made once is there
	goroutines, heap := runtime.NumGoroutine(), heapBytes()

	f := &flood.Flood{Size: size, XMPP: []string{sc.tcp.String()}, HTTP: []string{sc.http.String()}, TLS: []string{sc.tls.String()}, Hosts: 10, Pace: 100 * time.Millisecond, Return: 100 * time.Millisecond}
	ctx, done := context.WithTimeout(t.Context(), 3*patience)
	defer done()
	must(t, f.Start(ctx))
	met := func() bool {
		reached := sc.front.LimitsReached()
		for _, limit := range []string{"unauthenticated", "element_bytes", "failed_per_minute_per_address", "auth_attempts"} {
			if reached[limit] == 0 {
				return false
			}
		}
		return true
	}
	for round := 0; round < 4 || !met(); round++ {
		if ctx.Err() != nil {
			t.Fatalf("the flood does not meet the limits: %v", sc.front.LimitsReached())
		}
		logins()
	}
	peak := heapBytes()
	f.Stop()
	sc.log.empty()
	reached := sc.front.LimitsReached()
	left, err := f.Settled(ctx, goroutines, runtime.NumGoroutine)
	if err != nil {
		t.Errorf("goroutines: %d before, %d after: %v", goroutines, left, err)
	}
	// The failed attempts of each address are remembered for a while.
	const kept = 1 << 20
	after, err := f.Settled(ctx, heap+kept, heapBytes)
	if err != nil {
		t.Errorf("heap: %d bytes before, %d after: %v", heap, after, err)
	}
	t.Logf("%d connections; limits met: %v; goroutines %d, then %d; heap %d kB, %d kB in the flood, then %d kB",
		f.Connections(), reached, goroutines, left, heap>>10, peak>>10, after>>10)
}

func heapBytes() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
