// Package flood makes the trouble that strangers on the Internet can make, for
// tests: connections that say nothing, next to nothing, or never stop, and logins
// with tokens that are none.
package flood

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"xtokend/internal/transcript"
)

// Size is how many clients of each kind there are at a time. Each comes back when
// it has been turned away.
type Size struct {
	Idle    int // say nothing
	Slow    int // a byte at each Pace
	Endless int // an element, or a header or a body of HTTP, that does not end
	Refused int // three forged tokens, again and again
}

// SizeVariable names what sets the size of a flood: "5000,1000,1000,100", say, in
// the order of Size's fields.
const SizeVariable = "XTOKEND_FLOOD"

// SizeOr is the size that the environment sets, else usual; long says which.
func SizeOr(usual Size) (size Size, long bool, err error) {
	text := os.Getenv(SizeVariable)
	if text == "" {
		return usual, false, nil
	}
	_, err = fmt.Sscanf(text, "%d,%d,%d,%d", &size.Idle, &size.Slow, &size.Endless, &size.Refused)
	if err != nil {
		err = fmt.Errorf("%s=%q is not four numbers with commas between them", SizeVariable, text)
	}
	return size, true, err
}

// Flood is what Start has begun. Its fields are set before.
type Flood struct {
	Size Size
	// XMPP and HTTP are addresses, host:port, of services that begin in clear; TLS
	// those that begin with TLS.
	XMPP, HTTP, TLS []string
	// Hosts is how many addresses of 127.88.1.0/24 it comes from, 254 at most.
	Hosts int
	// Pace is the time between two bytes of a slow client, Return that before a
	// client comes back.
	Pace, Return time.Duration

	stop    context.CancelFunc
	clients sync.WaitGroup
	made    atomic.Int64
	there   atomic.Int64
	all     chan struct{}
}

// Start returns once each client has connected for the first time.
func (f *Flood) Start(ctx context.Context) error {
	ctx, f.stop = context.WithCancel(ctx)
	f.all = make(chan struct{})
	total := int64(f.Size.Idle + f.Size.Slow + f.Size.Endless + f.Size.Refused)
	number := 0
	begin := func(count int, act func(context.Context, net.Conn, kind)) {
		for range count {
			n := number
			number++
			f.clients.Go(func() { f.client(ctx, n, total, act) })
		}
	}
	begin(f.Size.Idle, f.idle)
	begin(f.Size.Slow, f.slow)
	begin(f.Size.Endless, f.endless)
	begin(f.Size.Refused, f.refused)
	if total == 0 {
		return nil
	}
	select {
	case <-f.all:
		return nil
	case <-ctx.Done():
		f.Stop()
		return fmt.Errorf("the flood has not begun: %d of %d clients are there", f.there.Load(), total)
	}
}

// Stop ends all clients and waits for them.
func (f *Flood) Stop() {
	f.stop()
	f.clients.Wait()
}

// Connections is how many were made.
func (f *Flood) Connections() int64 { return f.made.Load() }

type kind uint8

const (
	xmpp kind = iota
	http
	overTLS
)

// target is where the n-th client connects. Whoever tries tokens needs a stream.
func (f *Flood) target(n int) (string, kind) {
	if n >= f.Size.Idle+f.Size.Slow+f.Size.Endless {
		return f.XMPP[n%len(f.XMPP)], xmpp
	}
	all := len(f.XMPP) + len(f.HTTP) + len(f.TLS)
	switch i := n % all; {
	case i < len(f.XMPP):
		return f.XMPP[i], xmpp
	case i < len(f.XMPP)+len(f.HTTP):
		return f.HTTP[i-len(f.XMPP)], http
	default:
		return f.TLS[i-len(f.XMPP)-len(f.HTTP)], overTLS
	}
}

func (f *Flood) client(ctx context.Context, n int, total int64, act func(context.Context, net.Conn, kind)) {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 88, 1, byte(1+n%f.Hosts))}}
	address, to := f.target(n)
	for first := true; ctx.Err() == nil; {
		conn, err := dialer.DialContext(ctx, "tcp", address)
		if err == nil {
			f.made.Add(1)
			if first && f.there.Add(1) == total {
				close(f.all)
			}
			first = false
			release := context.AfterFunc(ctx, func() { conn.Close() })
			act(ctx, conn, to)
			release()
			conn.Close()
		}
		pause(ctx, f.Return)
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (f *Flood) idle(_ context.Context, conn net.Conn, _ kind) { io.Copy(io.Discard, conn) }

func (f *Flood) slow(ctx context.Context, conn net.Conn, to kind) {
	begin := map[kind]string{
		xmpp:    transcript.Header,
		http:    "POST /http-bind HTTP/1.1\r\nHost: example.org\r\nContent-Length: 10000\r\n\r\n" + strings.Repeat(" ", 10000),
		overTLS: "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + strings.Repeat("\x00", 500),
	}[to]
	for i := range len(begin) {
		if _, err := io.WriteString(conn, begin[i:i+1]); err != nil {
			return
		}
		pause(ctx, f.Pace)
	}
	io.Copy(io.Discard, conn)
}

var more = bytes.Repeat([]byte("A"), 16384)

func (f *Flood) endless(_ context.Context, conn net.Conn, to kind) {
	begin := map[kind]string{
		xmpp:    transcript.Header + "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='X-TOKEN'>",
		http:    "POST /http-bind HTTP/1.1\r\nHost: example.org\r\nX-Header: ",
		overTLS: "\x16\x03\x01\x40\x00\x01\x00\xff\xfc\x03\x03",
	}[to]
	if _, err := io.WriteString(conn, begin); err != nil {
		return
	}
	for {
		if _, err := conn.Write(more); err != nil {
			return
		}
	}
}

func (f *Flood) refused(_ context.Context, conn net.Conn, _ kind) {
	token := strings.Repeat("1", 40) + " " + base64.StdEncoding.EncodeToString(make([]byte, 32))
	io.WriteString(conn, transcript.Header)
	for range 4 {
		if _, err := io.WriteString(conn, transcript.AuthElement("X-TOKEN", "", "alice", token)); err != nil {
			return
		}
	}
	io.Copy(io.Discard, conn) // ends with the stream error
}

// Settled waits until measure gives the same or less than before, at each tick of
// Pace; it returns the last measurement, and an error when ctx ends before.
func (f *Flood) Settled(ctx context.Context, before int, measure func() int) (now int, err error) {
	for {
		if now = measure(); now <= before {
			return now, nil
		}
		pause(ctx, f.Pace)
		if ctx.Err() != nil {
			return now, errors.New("it does not return to the level before")
		}
	}
}
