package server_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"

	"xtokend/component/server"
)

// Of two hundred logins at once a server gets so many that its backlog holds them,
// and the next when one is over.
func TestLoginsAtOnceWaitForTheirTurn(t *testing.T) {
	const logins, most = 200, 64
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s, err := server.New(server.Config{Domain: "example.org", Addresses: []string{l.Addr().String()}, AccountSecret: secret})
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	for range logins {
		running.Go(func() {
			if _, err := s.Open(t.Context(), alice); err == nil {
				t.Error("a login without an answer succeeded")
			}
		})
	}
	var open []net.Conn
	for range logins {
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, conn)
		if len(open) == most { // all that may come have come: one ends, one comes
			if !server.TakesNobody(s) {
				t.Errorf("another login may begin while %d are under way", most)
			}
			open[0].Close()
			open = open[1:]
		}
	}
	for _, conn := range open {
		conn.Close()
	}
	running.Wait()
}

func TestWhoWaitsForHisTurnMayLeave(t *testing.T) {
	const most = 64
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, err := server.New(server.Config{Domain: "example.org", Addresses: []string{l.Addr().String()}, AccountSecret: secret})
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	defer running.Wait()
	var open []net.Conn
	for range most {
		running.Go(func() { s.Open(t.Context(), alice) })
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, conn)
	}
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() {
		_, err := s.Open(ctx, alice)
		left <- err
	}()
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "turn") {
		t.Errorf("who left before his turn got %v", err)
	}
	for _, conn := range open {
		conn.Close()
	}
	l.Close()
}
