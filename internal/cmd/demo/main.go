// Command demo starts a throwaway Prosody with xtokend in front on loopback,
// lets two users chat through it by go-sendxmpp, each with a token as password,
// shows what happens, and stays up to be tried by hand. An interrupt ends and
// removes everything. "make demo" builds xtokend and runs it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"xtokend/internal/installation"
	"xtokend/internal/prosody"
)

const (
	// exchangeTimeout bounds the start and the exchange.
	exchangeTimeout = time.Minute
	// stopTimeout bounds the end of each server; it is killed after that.
	stopTimeout = 20 * time.Second
)

func main() {
	program := flag.String("xtokend", "bin/xtokend", "the xtokend `program`")
	once := flag.Bool("once", false, "end after the exchange")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout, *program, *once); err != nil {
		fmt.Fprintf(os.Stderr, "demo: error: %v\n", err)
		os.Exit(1)
	}
}

// run shows everything on out, and returns when ctx ends or, with once, after
// the exchange. Nothing that it started or wrote remains.
func run(ctx context.Context, out io.Writer, program string, once bool) (err error) {
	program, err = filepath.Abs(program)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "xtokend-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)

	limited, cancel := context.WithTimeout(ctx, exchangeTimeout)
	defer cancel()
	server, err := prosody.Start(limited, prosody.Options{Dir: dir})
	if err != nil {
		return err
	}
	defer func() {
		limited, cancel := context.WithTimeout(context.Background(), stopTimeout)
		defer cancel()
		err = errors.Join(err, server.Stop(limited))
	}()
	i, err := installation.New(dir, server, net.IPv4(127, 0, 0, 1))
	if err != nil {
		return err
	}
	settings, err := i.WriteSettings()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "A stock Prosody serves %s at %s, without a token module and without users.\n", server.Domain, server.C2S)
	fmt.Fprintf(out, "xtokend stands in front of it at %s (STARTTLS) and %s (direct TLS). Its log follows.\n", i.StartTLS, i.DirectTLS)

	d := &demo{out: out, installation: i, program: program, settings: settings}
	front, err := d.startFront(limited)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, front.stop()) }()

	if err := d.exchange(limited); err != nil {
		return fmt.Errorf("%w\nthe server's log:\n%s", err, server.Log())
	}
	if once {
		return nil
	}
	d.instruct()
	select {
	case <-ctx.Done():
		fmt.Fprintln(out, "\nending")
		return nil
	case <-front.ended:
		return errors.New("xtokend has ended")
	case <-server.Done():
		return errors.New("the server has ended")
	}
}
