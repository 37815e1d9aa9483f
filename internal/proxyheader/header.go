// Package proxyheader reads the header of the PROXY protocol, versions 1 and 2
// (https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt), from
// connections of proxies that may send one.
//
// github.com/pires/go-proxyproto takes headers apart. How many bytes are one is
// found here: its own connection waits for the header wherever it is asked for
// an address, which would hold up whoever accepts, and it refuses a header of
// version 1 that comes in parts.
package proxyheader

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/pires/go-proxyproto"
	"github.com/pires/go-proxyproto/tlvparse"
)

const (
	// maxV1Bytes is the longest header of version 1 (§2.1).
	maxV1Bytes = 107
	// maxBytes bounds a header of version 2. Addresses, TLS version, cipher and
	// names take some hundred bytes, a client's certificate up to 2 kB.
	maxBytes = 4096
	// fixedBytes of a header of version 2 come before its length is known (§2.2).
	fixedBytes = 16
)

var (
	signatureV1 = []byte("PROXY ")
	signatureV2 = proxyproto.SIGV2
)

// ErrBroken is the error for what begins like a header and is none.
var ErrBroken = errors.New("broken PROXY header")

// Header is what a proxy says of the client that it connects for.
type Header struct {
	// Source is the client's address and port; invalid if the proxy does not
	// know it, or speaks for itself.
	Source netip.AddrPort
	// Local says that the proxy speaks for itself, as health checks do.
	Local bool
	// TLS says that the client has come to the proxy over TLS. Version 2 alone
	// can say so (PP2_CLIENT_SSL, §2.2.6).
	TLS bool
}

// NamesAnother reports whether the client is, or may be, another than peer, who
// has sent the header. A nil header names nobody.
func (h *Header) NamesAnother(peer netip.Addr) bool {
	return h != nil && !h.Local && h.Source.Addr() != peer
}

// NamesNobody reports whether there is a client whom the proxy does not know. A
// nil header tells of none.
func (h *Header) NamesNobody() bool {
	return h != nil && !h.Local && !h.Source.IsValid()
}

// Client is the client's address at a peer who has sent the header, or none if
// it is nil.
func (h *Header) Client(peer netip.Addr) netip.Addr {
	if h != nil && h.Source.IsValid() {
		return h.Source.Addr()
	}
	return peer
}

// size says how many bytes the header has that b begins with: 0 if it begins
// with none, more than len(b) if as many are needed to go on.
func size(b []byte) (int, error) {
	if n := min(len(b), len(signatureV1)); bytes.Equal(b[:n], signatureV1[:n]) {
		end := bytes.IndexByte(b[:min(len(b), maxV1Bytes)], '\n')
		switch {
		case end >= 0:
			return end + 1, nil
		case len(b) >= maxV1Bytes:
			return 0, fmt.Errorf("%w: longer than %d bytes", ErrBroken, maxV1Bytes)
		}
		return len(b) + 1, nil
	}
	if n := min(len(b), len(signatureV2)); !bytes.Equal(b[:n], signatureV2[:n]) {
		return 0, nil
	}
	if len(b) < fixedBytes {
		return fixedBytes, nil
	}
	whole := fixedBytes + int(binary.BigEndian.Uint16(b[fixedBytes-2:]))
	if whole > maxBytes {
		return 0, fmt.Errorf("%w: longer than %d bytes", ErrBroken, maxBytes)
	}
	return whole, nil
}

// begun reports whether b holds a whole signature: nobody but a proxy sends one.
func begun(b []byte) bool {
	return bytes.HasPrefix(b, signatureV1) || bytes.HasPrefix(b, signatureV2)
}

// parse takes a whole header apart.
func parse(b []byte) (*Header, error) {
	raw, err := proxyproto.Read(bufio.NewReaderSize(bytes.NewReader(b), maxBytes))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBroken, err)
	}
	if raw.Command.IsLocal() {
		// Version 1 has no such command: UNKNOWN is a client of whom the proxy
		// knows nothing.
		return &Header{Local: raw.Version == 2}, nil
	}
	if raw.TransportProtocol.IsDatagram() {
		return nil, fmt.Errorf("%w: of a client that sends datagrams", ErrBroken)
	}
	h := &Header{}
	if source, ok := raw.SourceAddr.(*net.TCPAddr); ok {
		address := source.AddrPort()
		h.Source = netip.AddrPortFrom(address.Addr().Unmap(), address.Port())
		if h.Source.Addr().IsUnspecified() {
			return nil, fmt.Errorf("%w: of a client without an address", ErrBroken)
		}
	}
	tlvs, err := raw.TLVs()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBroken, err)
	}
	for _, tlv := range tlvs {
		if tlv.Type != proxyproto.PP2_TYPE_SSL {
			continue
		}
		ssl, err := tlvparse.SSL(tlv)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrBroken, err)
		}
		h.TLS = ssl.ClientSSL()
	}
	return h, nil
}
