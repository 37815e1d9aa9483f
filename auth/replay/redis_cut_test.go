package replay_test

import (
	"bytes"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"xtokend/auth/replay"
	"xtokend/internal/redistest"
)

// cutter stands between nodes and a Redis. When armed it passes the next command on the store's records on, and
// closes the connection in place of its answer; when losing, it does so in place of the next message to a subscriber.
type cutter struct {
	address       string
	armed, losing atomic.Bool
}

func startCutter(t *testing.T, s *redistest.Server) *cutter {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(s.Host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{address: l.Addr().String()}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", s.Address)
			if err != nil {
				client.Close()
				continue
			}
			var cut atomic.Bool
			running.Go(func() {
				pass(server, client, func(b []byte) bool {
					if bytes.Contains(b, []byte("xtokend:")) && c.armed.CompareAndSwap(true, false) {
						cut.Store(true)
					}
					return true
				})
			})
			running.Go(func() {
				pass(client, server, func(b []byte) bool {
					if bytes.Contains(b, []byte(`"through"`)) && c.losing.CompareAndSwap(true, false) {
						return false
					}
					return !cut.Load()
				})
			})
		}
	})
	t.Cleanup(running.Wait) // the store is closed before, and its connections with it
	t.Cleanup(func() { l.Close() })
	return c
}

// pass copies for as long as more wants it, and closes both ends.
func pass(to, from net.Conn, more func([]byte) bool) {
	defer to.Close()
	defer from.Close()
	b := make([]byte, 64<<10)
	for {
		n, err := from.Read(b)
		if err != nil || !more(b[:n]) {
			return
		}
		if _, err := to.Write(b[:n]); err != nil {
			return
		}
	}
}

// A use whose answer is lost must not be sent again: it would be refused as a replay, and count against its user.
func TestRedisSendsOnce(t *testing.T) {
	for _, c := range []struct {
		name    string
		cluster bool
	}{{"one server", false}, {"a cluster", true}} {
		t.Run(c.name, func(t *testing.T) {
			s := redistest.Start(t, redistest.Options{Cluster: c.cluster})
			between := startCutter(t, s)
			addresses := []string{between.address}
			if c.cluster {
				_, port, _ := net.SplitHostPort(between.address)
				s.Command("CONFIG", "SET", "cluster-announce-port", port)
				addresses = append(addresses, between.address)
			}
			store := openRedis(t, replay.RedisOptions{Addresses: addresses})
			wantUse(t, store, use(1, start), nil)
			between.armed.Store(true)
			wantUnavailable(t, store, use(2, start))
			if between.armed.Load() {
				t.Fatal("no connection was cut")
			}
			wantUse(t, store, use(2, start), replay.ErrReplayed)
			wantUse(t, store, use(3, start), nil)
		})
	}
}
