package doctor

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"slices"
	"time"

	"golang.org/x/net/idna"

	"xtokend/cmd/xtokend/internal/config"
	"xtokend/internal/element"
)

// Target is a listener that clients are served at.
type Target struct {
	Listener config.Listener // of the settings
	Address  string          // host:port where it is reached from here
}

// route is a way to a target that clients take.
type route struct {
	Target
	bosh bool // for browsers: BOSH, not WebSocket
}

// routes are those to all targets.
func (x *examination) routes() []route {
	var all []route
	for _, t := range x.Targets {
		all = append(all, route{Target: t})
		if t.Listener.IsWeb() {
			all = append(all, route{Target: t, bosh: true})
		}
	}
	return all
}

// String names the route for people.
func (r route) String() string {
	switch {
	case r.bosh:
		return r.Listener.String() + " (BOSH)"
	case r.Listener.IsWeb():
		return r.Listener.String() + " (WebSocket)"
	}
	return r.Listener.String()
}

// stepTimeout bounds what is done over one connection.
const stepTimeout = 15 * time.Second

// connection is a stream that a client has opened, up to its features.
type connection struct {
	carrier
	features element.Element
	tls      *tls.ConnectionState // nil: in clear
}

// connect opens a stream as a client of the domain does. Certificates are looked
// at apart: a wrong one must not hide what comes after it.
func connect(ctx context.Context, r route, domain string) (*connection, error) {
	c := &connection{}
	var err error
	if r.Listener.IsWeb() {
		c.carrier, err = connectWeb(ctx, r, domain, c)
	} else {
		c.carrier, err = connectTCP(ctx, r, domain, c)
	}
	if err != nil {
		return nil, err
	}
	if c.features, err = c.open(); err != nil {
		c.close()
		return nil, err
	}
	tcp, ok := c.carrier.(*stream)
	if _, offered := c.features.Child(nsTLS, "starttls"); !ok || c.tls != nil || !offered {
		return c, nil
	}
	state, err := tcp.startTLS(ctx, clientTLS(domain))
	if err == nil {
		c.tls = &state
		c.features, err = c.open()
	}
	if err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func connectTCP(ctx context.Context, r route, domain string, c *connection) (carrier, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", r.Address)
	if err != nil {
		return nil, err
	}
	s := newStream(ctx, conn, domain)
	if r.Listener.Scheme == config.XMPPS {
		state, err := s.handshake(ctx, clientTLS(domain, "xmpp-client")) // XEP-0368 §4
		if err != nil {
			conn.Close()
			return nil, err
		}
		c.tls = &state
	}
	return s, nil
}

// connectWeb opens nothing yet for BOSH, whose first request does.
func connectWeb(ctx context.Context, r route, domain string, c *connection) (carrier, error) {
	client := webClient(func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", r.Address)
	}, clientTLS(domain))
	client.Transport.(*http.Transport).TLSClientConfig.VerifyConnection = func(state tls.ConnectionState) error {
		c.tls = &state
		return nil
	}
	header := http.Header{}
	scheme := "http"
	if r.Listener.Scheme == config.HTTPS {
		scheme = "https"
	} else if !r.Listener.Loopback {
		header.Set("X-Forwarded-Proto", "https") // as the proxy that it is for
	}
	if r.bosh {
		return newBOSH(ctx, client, scheme+"://"+r.Address+"/http-bind", header, domain)
	}
	ws, err := dialWebSocket(ctx, client, scheme+"://"+r.Address+"/xmpp-websocket", header, domain)
	if err != nil {
		client.CloseIdleConnections()
		return nil, err
	}
	return ws, nil
}

// webClient dials as it is told, and follows no redirection.
func webClient(dial func(context.Context, string, string) (net.Conn, error), config *tls.Config) *http.Client {
	return &http.Client{
		Transport:     &http.Transport{DialContext: dial, TLSClientConfig: config},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       stepTimeout,
	}
}

// clientTLS takes any certificate: see [examination.certificate].
func clientTLS(domain string, protocols ...string) *tls.Config {
	return &tls.Config{ServerName: asciiName(domain), InsecureSkipVerify: true, MinVersion: tls.VersionTLS12, NextProtos: protocols}
}

// asciiName is how a domain stands in the DNS and in certificates.
func asciiName(domain string) string {
	if name, err := idna.Lookup.ToASCII(domain); err == nil {
		return name
	}
	return domain
}

// Answers says whether a front answers at a target, by what it offers.
func Answers(ctx context.Context, t Target, domain, mechanism string) bool {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	c, err := connect(ctx, route{Target: t}, domain)
	if err != nil {
		return false
	}
	defer c.close()
	return slices.Contains(mechanisms(c.features), mechanism)
}
