package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"xtokend/cmd/xtokend/internal/systemd"
)

// Clients come all the time while daemons take turns at a socket of the service
// manager. Each client is answered, by the one or by the next: none is accepted and
// left without a word.
func TestWhoIsAcceptedIsAnswered(t *testing.T) {
	const turns, clients, enough = 20, 8, 20 // clients that a daemon has answered
	held, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	cfg := load(t, t.TempDir(), fmt.Sprintf("listen = ['xmpp://%s']\n", held.Addr()), "accounts = 'existing'\n")

	answered := make(chan struct{}, clients)
	var stopped atomic.Bool
	var coming sync.WaitGroup
	for range clients {
		coming.Go(func() {
			for !stopped.Load() {
				if err := greet(held.Addr().String()); err != nil {
					t.Error(err)
					return
				}
				select {
				case answered <- struct{}{}:
				default:
				}
			}
		})
	}
	gone := make(chan struct{})
	go func() {
		coming.Wait()
		close(gone)
	}()
	for turn := range turns {
		file, err := held.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		socket, err := systemd.NewSocket(file, "test.socket")
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			d := &daemon{log: slog.New(slog.DiscardHandler), stopping: func() {}, manager: systemd.Environment{Sockets: []*systemd.Socket{socket}}}
			ended <- d.serve(ctx, cfg)
		}()
		for range enough {
			select {
			case <-answered:
			case <-gone:
			}
		}
		if turn == turns-1 { // the last one answers those who are still there
			stopped.Store(true)
			<-gone
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// greet returns when the beginning of an answer is there.
func greet(address string) error {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	fmt.Fprint(conn, "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='example.org' version='1.0'>")
	_, err = conn.Read(make([]byte, 1))
	return err
}
