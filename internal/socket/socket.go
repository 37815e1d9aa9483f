// Package socket makes reads and writes of TCP connections cheap for a program that has many of them, each with little
// to say at a time.
//
// A read or write by package net tells the scheduler that the thread may be away for long. Its monitor then looks every
// 20 µs whether to hand the thread's processor on, and wakes threads to do so. But a socket in non-blocking mode is never
// away for longer than it takes to copy the bytes, so here the scheduler is told nothing. Of the CPU time that a relay
// spends on a message this saves a third with one message at a time, and half with many.
package socket

import (
	"net"
	"syscall"
)

// Conn is a TCP connection, and as a net.Conn does what that does. One goroutine may read and one write at a time.
type Conn struct {
	*net.TCPConn
	raw    syscall.RawConn
	in     transfer // of the Read under way
	out    transfer // of the Write under way
	wait   Wait
	lender Lender // of the ReadLent under way
	// Made once, since a closure for each call would be garbage.
	read, readLent, write func(fd uintptr) (over bool)
}

// Lender has buffers for those who have something to read. Lend is called by
// whoever reads, and TakeBack if there is nothing to read after all.
type Lender interface {
	Lend() []byte
	TakeBack()
}

// Wait is told of each Write that has to wait for the peer: Begin before it does, with the bytes that it was given, End
// when it is over. Both are called by whoever writes.
type Wait interface {
	Begin(size int)
	End()
}

// transfer is what one Read or Write has come to.
type transfer struct {
	bytes  []byte
	n      int
	err    error
	waited bool
}

// Wrap returns conn as a *Conn if it is a TCP connection, and the system is one that this package knows; else as it is.
func Wrap(conn net.Conn) net.Conn {
	tcp, ok := conn.(*net.TCPConn)
	if !ok || !known {
		return conn
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return conn // closed, as every use of it will say
	}
	c := &Conn{TCPConn: tcp, raw: raw}
	c.read, c.readLent, c.write = c.in.read, c.lendAndRead, c.writeOrWait
	return c
}

// NetConn is the connection beneath.
func (c *Conn) NetConn() net.Conn { return c.TCPConn }

// TellWaits has w told of the Writes that wait from now on. So a deadline need not be set and taken back by the many that
// never do. Call it before the first Write.
func (c *Conn) TellWaits(w Wait) { c.wait = w }

// Read implements net.Conn.
func (c *Conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	c.in = transfer{bytes: p}
	err := c.raw.Read(c.read)
	return c.in.result("read", err, c)
}

// ReadLent is Read into a buffer that l lends, so that nobody who waits holds one.
func (c *Conn) ReadLent(l Lender) (int, error) {
	c.lender = l
	err := c.raw.Read(c.readLent)
	return c.in.result("read", err, c)
}

func (c *Conn) lendAndRead(fd uintptr) (over bool) {
	c.in.bytes = c.lender.Lend()
	if over = c.in.read(fd); !over {
		c.in.bytes = nil
		c.lender.TakeBack()
	}
	return over
}

// Write implements net.Conn.
func (c *Conn) Write(p []byte) (int, error) {
	c.out = transfer{bytes: p}
	err := c.raw.Write(c.write)
	if c.out.waited && c.wait != nil {
		c.wait.End()
	}
	return c.out.result("write", err, c)
}

func (c *Conn) writeOrWait(fd uintptr) (over bool) {
	over = c.out.write(fd)
	if !over && !c.out.waited && c.wait != nil {
		c.wait.Begin(len(c.out.bytes))
	}
	c.out.waited = c.out.waited || !over
	return over
}

// result ends the transfer, of which waiting said err.
func (t *transfer) result(op string, err error, c *Conn) (int, error) {
	n := t.n
	if err == nil {
		err = t.err
	}
	*t = transfer{} // a connection that is idle keeps no buffer alive
	if errno, ok := err.(syscall.Errno); ok {
		err = &net.OpError{Op: op, Net: "tcp", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: errno}
	}
	return n, err
}
