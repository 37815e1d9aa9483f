package doctor

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/pires/go-proxyproto"

	"xtokend/cmd/xtokend/internal/config"
	"xtokend/internal/element"
)

// dialTimeout bounds the wait for a connection.
const dialTimeout = 5 * time.Second

// leastBacklog is below what Prosody has by default (128), and above what ejabberd
// has (5).
const leastBacklog = 64

// servers looks at each address of the domain's server, as the front meets it.
func (x *examination) servers(ctx context.Context, d *Domain) {
	for _, address := range d.Server.Addresses {
		x.server(ctx, d, address)
		x.queue(d, address)
		x.exposed(ctx, d.Name, address, "client port",
			`on Prosody c2s_interfaces = { "127.0.0.1" }, on ejabberd ip: "127.0.0.1" at the listener`)
	}
	if d.Component != nil {
		x.exposed(ctx, d.Name, d.Component.Address, "component port",
			`on Prosody component_interfaces = { "127.0.0.1" }, on ejabberd ip: "127.0.0.1" at the listener`)
	}
}

func (x *examination) server(ctx context.Context, d *Domain, address string) {
	ctx, cancel := step(ctx)
	defer cancel()
	a := x.about(TopicServer, d.Name)
	s, features, err := openServer(ctx, d.Domain, address)
	if err != nil {
		a.fail(serverHint(d, err), "%s: %v", address, err)
		return
	}
	defer s.close()
	if secure, ok := s.conn.(*tls.Conn); ok {
		// The handshake has verified it; from its end on no user could log in.
		if until := secure.ConnectionState().PeerCertificates[0].NotAfter; until.Sub(x.Now()) < expiresSoon {
			a.warn("renew it", "the server's certificate at %s expires on %s", address, until.UTC().Format(time.RFC3339))
		}
	}
	offered := mechanisms(features)
	scram := slices.ContainsFunc(offered, func(m string) bool { return m == "SCRAM-SHA-256" || m == "SCRAM-SHA-1" })
	_, starttls := features.Child(nsTLS, "starttls")
	_, register := features.Child(nsFeature, "register")
	switch {
	case scram:
		a.ok("%s serves the domain and offers %s", address, strings.Join(offered, ", "))
	case len(offered) == 0 && starttls:
		a.fail(`on Prosody c2s_require_encryption = false, on ejabberd starttls_required: false at this listener; or set tls = "starttls" in [domain.server]`,
			"%s asks for STARTTLS before any login, and tls is %q", address, d.Server.TLS)
	case len(offered) == 0:
		a.fail("see the server's log, and how it authenticates users", "%s offers no way to log in", address)
	default:
		a.fail(`on Prosody authentication = "internal_hashed", on ejabberd auth_method: [internal]`,
			"%s offers no SCRAM-SHA-1 or SCRAM-SHA-256, but %s: xtokend gives its accounts' passwords to no server in clear", address, strings.Join(offered, ", "))
	}
	switch wanted := d.Server.Accounts == config.AccountsRegister; {
	case register && !wanted:
		a.warn(`on Prosody take "register", "register_ibr" and "invites_register" out of modules_enabled, on ejabberd take out mod_register`,
			"%s lets strangers make accounts (in-band registration), also with names whose users have not logged in yet", address)
	case !register && wanted:
		a.fail(`on Prosody "register_ibr" and allow_registration = true, on ejabberd mod_register; or set accounts = "component"`,
			`%s offers no in-band registration, and accounts is "register"`, address)
	}
}

// openServer opens a stream to the domain's server, protected as the settings say.
func openServer(ctx context.Context, d *config.Domain, address string) (_ *stream, features element.Element, err error) {
	conn, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, features, err
	}
	s := newStream(ctx, conn, d.Name)
	defer func() {
		if err != nil {
			conn.Close()
		}
	}()
	if d.Server.SendProxy {
		if _, err := proxyproto.HeaderProxyFromAddrs(2, conn.LocalAddr(), conn.RemoteAddr()).WriteTo(conn); err != nil {
			return nil, features, err
		}
	}
	verified := &tls.Config{RootCAs: d.Server.RootCAs, ServerName: asciiName(d.Server.ServerName), MinVersion: tls.VersionTLS12}
	if d.Server.TLS == config.DirectTLS {
		verified.NextProtos = []string{"xmpp-client"}
		if _, err = s.handshake(ctx, verified); err != nil {
			return nil, features, fmt.Errorf("TLS: %w", err)
		}
	}
	if features, err = s.open(); err != nil {
		return nil, features, err
	}
	if d.Server.TLS != config.STARTTLS {
		return s, features, nil
	}
	if _, ok := features.Child(nsTLS, "starttls"); !ok {
		return nil, features, errNoStartTLS
	}
	if _, err = s.startTLS(ctx, verified); err != nil {
		return nil, features, fmt.Errorf("TLS: %w", err)
	}
	features, err = s.open()
	return s, features, err
}

var errNoStartTLS = errors.New("the server does not offer STARTTLS")

// serverHint says what to do when no stream can be opened.
func serverHint(d *Domain, err error) string {
	var unverified *tls.CertificateVerificationError
	var noTLS tls.RecordHeaderError
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return `start the server; on Prosody its client port is c2s_ports = { 5322 } at c2s_interfaces = { "127.0.0.1" }, on ejabberd a listener with module: ejabberd_c2s; it must be in addresses of [domain.server]`
	case errors.As(err, &unverified):
		return "the server's certificate must be for " + d.Server.ServerName + " (server_name) and of an authority of ca_file, or of the system's without one"
	case errors.As(err, &noTLS), errors.Is(err, errNoStartTLS):
		return `give the server a certificate for this port, or set tls in [domain.server] to what it speaks: "none" on loopback, "starttls" or "direct"`
	case strings.Contains(err.Error(), "host-unknown"):
		return "the server must have the domain: VirtualHost " + fmt.Sprintf("%q", d.Name) + " on Prosody, hosts on ejabberd"
	case errors.Is(err, errAnotherStream):
		return "addresses in [domain.server] must name the server's port for clients, not that for components or servers"
	case d.Server.SendProxy:
		return "send_proxy is true: the server must take the PROXY protocol at this port (Prosody cannot; on ejabberd use_proxy_protocol: true)"
	case d.Server.TLS == config.Plaintext:
		return "see that this is the server's port for clients, that it expects no TLS from the first byte and no PROXY header, and the server's log"
	}
	return "see that this is the server's port for clients, and the server's log"
}

// queue looks how many connections the server lets wait: beyond that number the first
// packets of new ones get lost, and each costs its user a second or more.
func (x *examination) queue(d *Domain, address string) {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return
	}
	if n := backlog(at); n > 0 && n < leastBacklog {
		x.about(TopicServer, d.Name).warn("on ejabberd backlog: 1024 at the listener for clients, on Prosody network_settings = { tcp_backlog = 1024 }",
			"%s lets %d connections wait: when many users come at once, as after a restart, logins are slow", address, n)
	}
}

// exposed looks whether a port that is reached over loopback is open to others too.
func (x *examination) exposed(ctx context.Context, domain, address, what, hint string) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return
	}
	if ip, err := netip.ParseAddr(host); err != nil || !ip.IsLoopback() {
		return
	}
	for _, ip := range x.Addresses {
		dialer := net.Dialer{Timeout: dialTimeout}
		conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(ip.String(), port))
		if err != nil {
			continue
		}
		conn.Close()
		x.about(TopicServer, domain).warn(hint, "the server's %s %s is open at %s too, not on loopback alone: whoever reaches it goes past xtokend", what, port, ip)
		return
	}
}
