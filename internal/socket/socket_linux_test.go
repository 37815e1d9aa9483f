package socket_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"xtokend/internal/socket"
)

// pair returns both ends of a connection, the first one wrapped.
func pair(t testing.TB) (net.Conn, *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	far, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	near, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	return socket.Wrap(near), far.(*net.TCPConn)
}

// waits counts what it is told.
type waits struct {
	sizes []int
	ended int
	begin func()
}

func (w *waits) Begin(size int) {
	w.sizes = append(w.sizes, size)
	if w.begin != nil {
		w.begin()
	}
}
func (w *waits) End() { w.ended++ }

func TestBytesPassWholeAndInOrder(t *testing.T) {
	near, far := pair(t)
	sent := make([]byte, 8<<20) // far more than the kernel buffers
	rand.Read(sent)
	w := &waits{}
	if c, ok := near.(*socket.Conn); ok {
		c.TellWaits(w)
	}
	written := make(chan error, 1)
	go func() {
		n, err := near.Write(sent)
		if err == nil && n != len(sent) {
			err = io.ErrShortWrite
		}
		near.Close()
		written <- err
	}()
	got, err := io.ReadAll(far)
	if err != nil || !bytes.Equal(got, sent) {
		t.Fatalf("%d of %d bytes arrived, %v", len(got), len(sent), err)
	}
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	if len(w.sizes) != 1 || w.sizes[0] != len(sent) || w.ended != 1 {
		t.Errorf("told of %v and %d ends, want one of %d bytes", w.sizes, w.ended, len(sent))
	}
}

func TestReadsWaitForBytesAndSeeTheEnd(t *testing.T) {
	near, far := pair(t)
	got := make(chan []byte)
	go func() {
		b, _ := io.ReadAll(near)
		got <- b
	}()
	far.Write([]byte("a"))
	far.Write([]byte("b"))
	far.CloseWrite()
	if b := <-got; string(b) != "ab" {
		t.Errorf("got %q", b)
	}
	if n, err := near.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("behind the end: %d, %v", n, err)
	}
}

func TestAWriteThatNeedsNotWaitIsNotTold(t *testing.T) {
	near, _ := pair(t)
	w := &waits{}
	near.(*socket.Conn).TellWaits(w)
	if n, err := near.Write([]byte("x")); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if len(w.sizes) != 0 || w.ended != 0 {
		t.Errorf("told of %v and %d ends", w.sizes, w.ended)
	}
}

func TestADeadlineEndsAWait(t *testing.T) {
	near, _ := pair(t)
	past := func() { near.SetWriteDeadline(time.Unix(1, 0)) }
	near.(*socket.Conn).TellWaits(&waits{begin: past})
	n, err := near.Write(make([]byte, 64<<20))
	if !errors.Is(err, os.ErrDeadlineExceeded) || n == 0 || n == 64<<20 {
		t.Errorf("wrote %d bytes, %v", n, err)
	}
	near.SetReadDeadline(time.Unix(1, 0))
	n, err = near.Read(make([]byte, 1))
	var ne net.Error
	if n != 0 || !errors.As(err, &ne) || !ne.Timeout() {
		t.Errorf("read %d bytes, %v", n, err)
	}
}

func TestClosedAndResetConnectionsSaySo(t *testing.T) {
	near, far := pair(t)
	far.SetLinger(0)
	far.Close()
	if _, err := near.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("after a reset: %v", err)
	}
	near.Close()
	if _, err := near.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if _, err := near.Write(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestOtherConnectionsStayAsTheyAre(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if socket.Wrap(a) != a {
		t.Error("a pipe was wrapped")
	}
}

func BenchmarkPingPong(bench *testing.B) {
	for _, wrap := range []bool{false, true} {
		bench.Run(map[bool]string{false: "net", true: "socket"}[wrap], func(b *testing.B) {
			near, far := pair(b)
			if !wrap {
				near = near.(*socket.Conn).NetConn()
			}
			go io.Copy(struct{ io.Writer }{near}, struct{ io.Reader }{near})
			message := make([]byte, 300)
			b.ReportAllocs()
			for b.Loop() {
				far.Write(message)
				if _, err := io.ReadFull(far, message); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// oneBuffer lends one buffer, and tells when it comes back.
type oneBuffer struct {
	buf  [16]byte
	lent bool
	back chan struct{}
}

func (o *oneBuffer) Lend() []byte {
	o.lent = true
	return o.buf[:]
}

func (o *oneBuffer) TakeBack() {
	o.lent = false
	o.back <- struct{}{}
}

func TestWhoWaitsHoldsNoBuffer(t *testing.T) {
	near, far := pair(t)
	conn := near.(*socket.Conn)
	o := &oneBuffer{back: make(chan struct{}, 1)}
	type result struct {
		n   int
		err error
	}
	read := func() chan result {
		done := make(chan result, 1)
		go func() {
			n, err := conn.ReadLent(o)
			done <- result{n, err}
		}()
		return done
	}

	done := read()
	<-o.back
	far.Write([]byte("hello"))
	if r := <-done; r.n != 5 || r.err != nil || !o.lent || string(o.buf[:5]) != "hello" {
		t.Errorf("read %d bytes, %v, into %q, lent %t", r.n, r.err, o.buf, o.lent)
	}
	done = read()
	<-o.back
	near.SetReadDeadline(time.Unix(1, 0))
	if r := <-done; !errors.Is(r.err, os.ErrDeadlineExceeded) || o.lent {
		t.Errorf("after a deadline: %v, lent %t", r.err, o.lent)
	}
	near.SetReadDeadline(time.Time{})
	far.CloseWrite()
	if r := <-read(); r.n != 0 || r.err != io.EOF {
		t.Errorf("at the end: %d, %v", r.n, r.err)
	}
}
