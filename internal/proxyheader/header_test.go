package proxyheader_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"xtokend/internal/proxyheader"
)

const (
	signature = "\r\n\r\n\x00\r\nQUIT\n"
	stream    = "<?xml version='1.0'?><stream:stream>"
	// An address block of version 2: source, destination, their ports.
	ipv4 = "\xcb\x00\x71\x07\xc6\x33\x64\x01\xdc\x04\x14\x66" // 203.0.113.7:56324 to 198.51.100.1:5222
	ipv6 = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x07" +
		"\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\xdc\x04\x14\x66"
	mapped = "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xcb\x00\x71\x07" +
		"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xc6\x33\x64\x01\xdc\x04\x14\x66"
	tlsTLV     = "\x20\x00\x0f\x01\x00\x00\x00\x00\x21\x00\x07TLSv1.3"
	noTLSTLV   = "\x20\x00\x05\x00\x00\x00\x00\x01"
	uniqueTLV  = "\x05\x00\x03abc"
	paddingTLV = "\x04\x00\x02\x00\x00"
)

// v2 puts a header of version 2 together (§2.2).
func v2(command, family byte, rest string) string {
	return signature + string([]byte{command, family, byte(len(rest) >> 8), byte(len(rest))}) + rest
}

var cases = []struct {
	name   string
	sent   string // the header, behind which the stream comes
	source string // "": none
	local  bool
	tls    bool
	none   bool // no header at all
	broken bool
}{
	{name: "none: a stream", none: true},
	{name: "none: TLS", sent: "\x16\x03\x01\x02\x00\x01", none: true},
	{name: "none: HTTP", sent: "POST /http-bind HTTP/1.1\r\n", none: true},
	{name: "none: an empty line", sent: "\r\n\r\n", none: true},
	{name: "none: a word that begins alike", sent: "PROXYING ", none: true},
	{name: "none: a signature but for its last byte", sent: "\r\n\r\n\x00\r\nQUIT!", none: true},

	{name: "v1, IPv4", sent: "PROXY TCP4 203.0.113.7 198.51.100.1 56324 5222\r\n", source: "203.0.113.7:56324"},
	{name: "v1, IPv6", sent: "PROXY TCP6 2001:db8::7 2001:db8::1 56324 5222\r\n", source: "[2001:db8::7]:56324"},
	{name: "v1, IPv4 in IPv6", sent: "PROXY TCP6 ::ffff:203.0.113.7 ::ffff:198.51.100.1 56324 5222\r\n", source: "203.0.113.7:56324"},
	{name: "v1, unknown", sent: "PROXY UNKNOWN\r\n"},
	{name: "v1, unknown with addresses", sent: "PROXY UNKNOWN 203.0.113.7 198.51.100.1 56324 5222\r\n"},
	{name: "v1, unknown, as long as can be", sent: "PROXY UNKNOWN " + strings.Repeat("f", 91) + "\r\n"},
	{name: "v1, one byte longer", sent: "PROXY UNKNOWN " + strings.Repeat("f", 92) + "\r\n", broken: true},
	{name: "v1, without end", sent: "PROXY TCP4 " + strings.Repeat("1", 5000), broken: true},
	{name: "v1, line feed alone", sent: "PROXY TCP4 203.0.113.7 198.51.100.1 56324 5222\n", broken: true},
	{name: "v1, of UDP", sent: "PROXY UDP4 203.0.113.7 198.51.100.1 56324 5222\r\n", broken: true},
	{name: "v1, wrong family", sent: "PROXY TCP4 2001:db8::7 2001:db8::1 56324 5222\r\n", broken: true},
	{name: "v1, no address", sent: "PROXY TCP4 rubbish 198.51.100.1 56324 5222\r\n", broken: true},
	{name: "v1, leading zeros", sent: "PROXY TCP4 203.0.113.007 198.51.100.1 56324 5222\r\n", broken: true},
	{name: "v1, no address in particular", sent: "PROXY TCP4 0.0.0.0 198.51.100.1 56324 5222\r\n", broken: true},
	{name: "v1, zone", sent: "PROXY TCP6 fe80::1%eth0 2001:db8::1 56324 5222\r\n", broken: true},
	{name: "v1, no port", sent: "PROXY TCP4 203.0.113.7 198.51.100.1 65536 5222\r\n", broken: true},
	{name: "v1, too few", sent: "PROXY TCP4 203.0.113.7\r\n", broken: true},
	{name: "v1, too many", sent: "PROXY TCP4 203.0.113.7 198.51.100.1 56324 5222 5222\r\n", broken: true},
	{name: "v1, two spaces", sent: "PROXY TCP4  203.0.113.7 198.51.100.1 56324 5222\r\n", broken: true},
	{name: "v1, empty", sent: "PROXY \r\n", broken: true},

	{name: "v2, IPv4", sent: v2(0x21, 0x11, ipv4), source: "203.0.113.7:56324"},
	{name: "v2, IPv6", sent: v2(0x21, 0x21, ipv6), source: "[2001:db8::7]:56324"},
	{name: "v2, IPv4 in IPv6", sent: v2(0x21, 0x21, mapped), source: "203.0.113.7:56324"},
	{name: "v2, over TLS", sent: v2(0x21, 0x11, ipv4+tlsTLV), source: "203.0.113.7:56324", tls: true},
	{name: "v2, over TLS, among others", sent: v2(0x21, 0x21, ipv6+uniqueTLV+paddingTLV+tlsTLV+paddingTLV), source: "[2001:db8::7]:56324", tls: true},
	{name: "v2, not over TLS", sent: v2(0x21, 0x11, ipv4+noTLSTLV), source: "203.0.113.7:56324"},
	{name: "v2, longer than is read at first", sent: v2(0x21, 0x11, ipv4+tlsTLV+"\x28\x07\x00"+strings.Repeat("c", 0x700)), source: "203.0.113.7:56324", tls: true},
	{name: "v2, as long as can be", sent: v2(0x21, 0x11, ipv4+"\x04\x0f\xe1"+strings.Repeat("\x00", 4096-16-12-3)), source: "203.0.113.7:56324"},
	{name: "v2, one byte longer", sent: v2(0x21, 0x11, ipv4+"\x04\x0f\xe2"+strings.Repeat("\x00", 4096-16-12-2)), broken: true},
	{name: "v2, much longer", sent: signature + "\x21\x11\xff\xff" + ipv4, broken: true},
	{name: "v2, local", sent: v2(0x20, 0x00, ""), local: true},
	{name: "v2, local with addresses", sent: v2(0x20, 0x11, ipv4), local: true},
	{name: "v2, local with TLS", sent: v2(0x20, 0x11, ipv4+tlsTLV), local: true},
	{name: "v2, local with rubbish", sent: v2(0x20, 0x11, "\x00\x00"), local: true},
	{name: "v2, Unix socket", sent: v2(0x21, 0x31, strings.Repeat("\x00", 216))},
	{name: "v2, no family", sent: v2(0x21, 0x00, ""), broken: true},
	{name: "v2, of UDP", sent: v2(0x21, 0x12, ipv4), broken: true},
	{name: "v2, unknown family", sent: v2(0x21, 0x41, ipv4), broken: true},
	{name: "v2, unknown command", sent: v2(0x22, 0x11, ipv4), broken: true},
	{name: "v2, another version", sent: v2(0x31, 0x11, ipv4), broken: true},
	{name: "v2, addresses cut off", sent: v2(0x21, 0x11, ipv4[:11]), broken: true},
	{name: "v2, IPv4 addresses for IPv6", sent: v2(0x21, 0x21, ipv4), broken: true},
	{name: "v2, TLV cut off", sent: v2(0x21, 0x11, ipv4+tlsTLV[:len(tlsTLV)-1]), broken: true},
	{name: "v2, TLS cut off", sent: v2(0x21, 0x11, ipv4+"\x20\x00\x01\x01"), broken: true},
	{name: "v2, TLS of no version", sent: v2(0x21, 0x11, ipv4+"\x20\x00\x05\x01\x00\x00\x00\x00"), broken: true},
	{name: "v2, no address in particular", sent: v2(0x21, 0x11, "\x00\x00\x00\x00"+ipv4[4:]), broken: true},
}

// bytesConn is a connection from which bytes come, as r reads them.
type bytesConn struct {
	net.Conn
	r io.Reader
}

func (c bytesConn) Read(p []byte) (int, error) { return c.r.Read(p) }
func (c bytesConn) RemoteAddr() net.Addr       { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 254), Port: 1} }

// receive reads what has been sent through a Conn.
func receive(r io.Reader) (h *proxyheader.Header, rest []byte, broken int, err error) {
	c := proxyheader.NewConn(bytesConn{r: r}, func(net.Addr, error) { broken++ })
	if h, err = c.Header(); err != nil {
		_, again := c.Read(make([]byte, 1))
		if again != err {
			err = errors.New("the error does not stay")
		}
		return h, nil, broken, err
	}
	rest, err = io.ReadAll(c)
	return h, rest, broken, err
}

func TestHeaders(t *testing.T) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for how, read := range map[string]func(io.Reader) io.Reader{
				"at once": func(r io.Reader) io.Reader { return r }, "byte by byte": iotest.OneByteReader, "with the error": iotest.DataErrReader,
			} {
				h, rest, broken, err := receive(read(strings.NewReader(c.sent + stream)))
				if c.broken {
					if !errors.Is(err, proxyheader.ErrBroken) || broken != 1 {
						t.Errorf("%s: header %+v, error %v, told %d times", how, h, err, broken)
					}
					continue
				}
				want := &proxyheader.Header{Local: c.local, TLS: c.tls}
				if c.source != "" {
					want.Source = netip.MustParseAddrPort(c.source)
				}
				behind := stream
				if c.none {
					want, behind = nil, c.sent+stream
				}
				if err != nil || (h == nil) != (want == nil) || h != nil && *h != *want {
					t.Errorf("%s: header %+v, error %v, want %+v", how, h, err, want)
				}
				if string(rest) != behind || broken != 0 {
					t.Errorf("%s: behind it came %q, want %q", how, rest, behind)
				}
			}
		})
	}
}

// A header that ends early is broken, and what is not known to be one is nothing.
func TestCutHeaders(t *testing.T) {
	for _, whole := range []string{"PROXY TCP4 203.0.113.7 198.51.100.1 56324 5222\r\n", v2(0x21, 0x11, ipv4+tlsTLV)} {
		for n := range len(whole) {
			h, _, broken, err := receive(strings.NewReader(whole[:n]))
			begun := strings.HasPrefix(whole[:n], "PROXY ") || strings.HasPrefix(whole[:n], signature)
			if h != nil || errors.Is(err, proxyheader.ErrBroken) != begun || (broken == 1) != begun || !begun && err != io.EOF {
				t.Errorf("after %d bytes: header %+v, error %v, told %d times", n, h, err, broken)
			}
		}
	}
}

// What the reader's deadline says is no fault of the header.
func TestASilentPeerIsNoBrokenHeader(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	defer near.Close()
	c := proxyheader.NewConn(near, func(net.Addr, error) { t.Error("called a broken header") })
	c.SetReadDeadline(time.Unix(1, 0))
	if _, err := c.Header(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the error is %v", err)
	}
}

func TestWhoIsNamed(t *testing.T) {
	peer := netip.MustParseAddr("127.0.0.1")
	other := netip.MustParseAddrPort("127.0.0.2:1")
	for _, c := range []struct {
		name    string
		header  *proxyheader.Header
		client  string
		another bool
	}{
		{"no header", nil, "127.0.0.1", false},
		{"the peer for itself", &proxyheader.Header{Local: true}, "127.0.0.1", false},
		{"the peer's own address", &proxyheader.Header{Source: netip.AddrPortFrom(peer, 1)}, "127.0.0.1", false},
		{"somebody else", &proxyheader.Header{Source: other}, "127.0.0.2", true},
		{"nobody knows", &proxyheader.Header{}, "127.0.0.1", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.header.NamesAnother(peer); got != c.another {
				t.Errorf("names another: %v", got)
			}
			if got := c.header.Client(peer).String(); got != c.client {
				t.Errorf("the client is %s, want %s", got, c.client)
			}
		})
	}
}

func TestOnlyTrustedPeersMaySendOne(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	if _, ok := proxyheader.From(bytesConn{}, trusted, nil).(*proxyheader.Conn); !ok {
		t.Error("a trusted peer is not asked for a header")
	}
	for _, others := range [][]netip.Prefix{nil, {netip.MustParsePrefix("198.51.100.0/24")}} {
		if _, ok := proxyheader.From(bytesConn{}, others, nil).(*proxyheader.Conn); ok {
			t.Error("anybody is asked for a header")
		}
	}
}

// However the bytes are cut, the result is the same, and behind a header not a
// byte is lost or made up.
func FuzzHeader(f *testing.F) {
	for _, c := range cases {
		f.Add([]byte(c.sent + stream))
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		h, rest, _, err := receive(bytes.NewReader(sent))
		h2, rest2, _, err2 := receive(iotest.OneByteReader(bytes.NewReader(sent)))
		if (h == nil) != (h2 == nil) || h != nil && *h != *h2 || !bytes.Equal(rest, rest2) || (err == nil) != (err2 == nil) {
			t.Errorf("at once %+v, %q, %v; byte by byte %+v, %q, %v", h, rest, err, h2, rest2, err2)
		}
		if !bytes.HasSuffix(sent, rest) || err == nil && h == nil && len(rest) != len(sent) {
			t.Errorf("%q came out of %q", rest, sent)
		}
		if h != nil && (len(sent)-len(rest) > 4096 || h.Local && (h.Source.IsValid() || h.TLS)) {
			t.Errorf("%+v of %d bytes", h, len(sent)-len(rest))
		}
	})
}
