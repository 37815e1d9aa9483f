// Package config reads xtokend's settings: a TOML file, the files it names for
// secrets and certificates, and environment variables. Load turns all of it
// into one typed Config, or says everything that is wrong with it at once.
package config

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net/netip"
	"time"

	"mellium.im/xmpp/jid"

	"xtokend/auth"
)

// DefaultPath is where the settings lie when no other file is named.
const DefaultPath = "/etc/xtokend/xtokend.toml"

// Config is what Load made of a settings file. Every value is checked, every
// default filled in and every path absolute or relative to the working
// directory of the process.
type Config struct {
	// Path is that of the settings file, as it was given to Load.
	Path string
	// Listeners are one or more, no two of one address; none if every domain has
	// UpstreamNone.
	Listeners []Listener
	// Admin is the path of the Unix socket for the commands that talk to the
	// running daemon; "": none.
	Admin string
	// Metrics is where metrics and health are read; the zero AddrPort: nowhere.
	Metrics netip.AddrPort
	// TrustedProxies are those whose X-Forwarded-For and X-Forwarded-Proto are
	// believed.
	TrustedProxies []netip.Prefix
	// AllowedOrigins are serialized origins (RFC 6454 §6.2) in their normal form,
	// or "*" alone. None: pages of the same origin.
	AllowedOrigins []string
	// Node is the name among nodes, of small letters and digits; empty: none.
	Node string
	// TLS is nil if the file has no [tls]. Then every listener is xmpp:// on
	// loopback, or http:// or http+insecure://.
	TLS *TLS
	// HTTPAuth answers other servers' questions over HTTP; nil: nobody does.
	HTTPAuth *HTTPAuth
	// Domains are one or more, no two of one name.
	Domains []Domain
	Replay  Replay
	Limits  Limits
	Log     Log
	// Warnings are the things that work and should not stay as they are. Load
	// fills them in as far as it came, also when it returns an error.
	Warnings []Finding
}

// Scheme is how a listener speaks to clients.
type Scheme string

const (
	// XMPP is TCP with STARTTLS, which is required before authentication except
	// on loopback (RFC 6120 §5).
	XMPP Scheme = "xmpp"
	// XMPPS is direct TLS (XEP-0368).
	XMPPS Scheme = "xmpps"
	// HTTP is WebSocket (RFC 7395) and BOSH (XEP-0124, XEP-0206) in clear: on
	// loopback, or for the trusted proxies alone.
	HTTP Scheme = "http"
	// HTTPS is the same over TLS.
	HTTPS Scheme = "https"
	// HTTPInsecure is HTTP for anybody. Nobody can log in over it, but through a
	// trusted proxy that was reached over TLS.
	HTTPInsecure Scheme = "http+insecure"
)

// Listener is one address on which clients are served.
type Listener struct {
	Scheme   Scheme
	Address  netip.AddrPort // port 0: any free port
	Loopback bool           // Address is in 127.0.0.0/8 or is ::1
}

// IsWeb reports whether l is for browsers: for WebSocket and BOSH.
func (l Listener) IsWeb() bool {
	return l.Scheme == HTTP || l.Scheme == HTTPS || l.Scheme == HTTPInsecure
}

// String returns the listener as the settings write it, "xmpp://[::]:5222".
func (l Listener) String() string { return string(l.Scheme) + "://" + l.Address.String() }

// TLS is the certificate shown to clients.
type TLS struct {
	// CertificatePath is the chain, the domain's own certificate first; KeyPath
	// its private key. Both are PEM files.
	CertificatePath, KeyPath string
	// Pair is what the two files held; empty unless Options.Need has Certificate.
	Pair tls.Certificate
}

// HTTPAuth is where servers that have their clients themselves ask about them.
type HTTPAuth struct {
	// Listener is of the scheme HTTP, on loopback, or HTTPS.
	Listener Listener
	// BearerSecret is what a server must show; zero unless Options.Need has
	// AccountSecrets.
	BearerSecret Secret
}

// Domain is one domain whose users log in.
type Domain struct {
	// Name is the prepared domainpart (RFC 7622 §3.2), which issuers sign.
	Name string
	// Mechanisms are one or more of package sasl, as spelt on the wire.
	Mechanisms []string
	// Skew, FoldCase and IssuerTimezone are as in auth.Config. The skew is in
	// steps of 30 s; a nil zone means none.
	Skew           int
	FoldCase       bool
	IssuerTimezone *time.Location
	// PublicURLs are wss:// and https:// addresses of WebSocket and BOSH, for
	// host-meta (XEP-0156). None: there is no host-meta.
	PublicURLs []string
	// Admins may use the ad-hoc commands of the component link: bare JIDs, also of
	// other domains, no two the same.
	Admins []jid.JID
	// Users are the localparts of those who exist, for other servers that ask; nil:
	// all who could. It is nil too unless Options.Need has AccountSecrets.
	Users map[string]struct{}
	// Keys are one or more, in the file's order: new tokens are signed with the
	// first that has not ended. Empty unless Options.Need has Keys.
	Keys []Key
	// Upstream says which of the following serves the users.
	Upstream Upstream
	Server   Server
	// Component is nil if there is no component link, as with UpstreamHost
	// and UpstreamNone.
	Component *Component
	Host      Host
}

// Upstream is what serves the users of a domain once they are logged in.
type Upstream string

const (
	// UpstreamServer is an XMPP server.
	UpstreamServer Upstream = "server"
	// UpstreamHost is the host inside xtokend.
	UpstreamHost Upstream = "host"
	// UpstreamNone: another server has the clients, and asks about their tokens.
	UpstreamNone Upstream = "none"
)

// Host is the host that serves a domain inside xtokend.
type Host struct {
	Path  string // of its file; "": in memory
	Rooms string // prepared domainpart of its room service; "": none
}

// Key is one key of a domain and the moment from which it does not exist.
type Key struct {
	auth.Key
	// NotAfter is zero for a key without an end.
	NotAfter time.Time
}

// Protection is how a connection to the server is encrypted.
type Protection string

const (
	// Plaintext is used to loopback addresses only.
	Plaintext Protection = "none"
	// STARTTLS is RFC 6120 §5.
	STARTTLS Protection = "starttls"
	// DirectTLS is TLS from the first byte (XEP-0368).
	DirectTLS Protection = "direct"
)

// Accounts is who makes the users' accounts on the server.
type Accounts string

const (
	AccountsComponent Accounts = "component" // xtokend, through the component link
	AccountsRegister  Accounts = "register"  // xtokend, by in-band registration (XEP-0077)
	AccountsExisting  Accounts = "existing"  // somebody else
)

// Server is the XMPP server behind a domain. It is zero with another
// Upstream.
type Server struct {
	Addresses []string // host:port, at least one
	TLS       Protection
	// CAFile, RootCAs and ServerName are for its certificate, on the port for
	// clients and on that for components.
	CAFile     string         // "": the system's certificate authorities
	RootCAs    *x509.CertPool // of CAFile; nil without one, or unless Options.Need has AccountSecrets
	ServerName string
	Accounts   Accounts
	// SendProxy names the client to the server, by the PROXY protocol.
	SendProxy bool
	// AccountSecret is what the accounts' passwords are derived from; zero
	// unless Options.Need has AccountSecrets.
	AccountSecret Secret
	// PreviousSecret is the account secret that AccountSecret is replacing; empty:
	// none, or Options.Need has no AccountSecrets.
	PreviousSecret Secret
	// Takeover allows the password of an account that exists to be set; only
	// with AccountsComponent.
	Takeover bool
	// Protected are prepared localparts whose accounts are never taken over.
	Protected []string
}

// Component is the component link (XEP-0114) to a domain's server.
type Component struct {
	Address string // host:port
	Name    string // prepared domainpart
	Secret  Secret // zero unless Options.Need has AccountSecrets
	TLS     Protection
}

// ReplayStore is where used tokens are remembered.
type ReplayStore string

const (
	// ReplayMemory forgets when the process ends.
	ReplayMemory ReplayStore = "memory"
	// ReplayFile keeps a file, on disk before a token is accepted.
	ReplayFile ReplayStore = "file"
	// ReplayRedis is a Redis or Valkey that several nodes share.
	ReplayRedis ReplayStore = "redis"
)

// Replay is the store of used tokens.
type Replay struct {
	Store ReplayStore
	Path  string // of ReplayFile
	Redis Redis  // of ReplayRedis
}

// Redis says where ReplayRedis is.
type Redis struct {
	Addresses []string // host:port: of a server, of several of a cluster, or of sentinels
	Sentinel  string   // the name of the server that the sentinels watch; "": there are none
	Username  string   // "": the default user
	Password  Secret   // empty: none is asked for
	Database  int
	TLS       bool
	CAFile    string         // "": the system's authorities
	RootCAs   *x509.CertPool // those of CAFile; nil: the system's
}

// Limits bound what clients can use up. All are positive except where 0 is said
// to mean no limit.
type Limits struct {
	// AuthAttempts are the attempts that may fail on one stream.
	AuthAttempts int
	// Failed attempts a minute; 0: no limit.
	FailedPerMinutePerAddress, FailedPerMinutePerUser int
	// IPv6Prefix is how many leading bits of an IPv6 address are one client's.
	IPv6Prefix int
	// Streams open at a time: in all, of one address (0: no limit), and before
	// authentication.
	Streams, StreamsPerAddress, Unauthenticated int
	// ElementBytes and ElementDepth bound one element from a client (RFC 6120
	// §13.12).
	ElementBytes, ElementDepth int
	// UpstreamElementBytes bounds one element from the server where it must be
	// whole: on the way to WebSocket and BOSH.
	UpstreamElementBytes int
	// BOSHSessions are open at a time; BOSHBufferBytes bound what one of them
	// holds for its client.
	BOSHSessions, BOSHBufferBytes int
	// NegotiationTimeout bounds the time to the end of authentication,
	// WriteTimeout each write to a client.
	NegotiationTimeout, WriteTimeout time.Duration
}

// LogFormat is how log lines are written.
type LogFormat string

const (
	LogText LogFormat = "text"
	LogJSON LogFormat = "json"
)

// Log says what is logged and how.
type Log struct {
	Level  slog.Level
	Format LogFormat
}

// Part is a set of the things outside the settings file that a command needs.
// What it does not need is neither read nor missed, so that `xtokend explain`
// runs where the certificate and the account secret are not to be had.
type Part uint

const (
	Keys           Part = 1 << iota // OTP seeds and token secrets
	AccountSecrets                  // account, component and bearer secrets, the password of Redis, the servers' authorities, the names of users
	Certificate                     // the certificate and its key
	Everything     = Keys | AccountSecrets | Certificate
)

// Options say for what, when and where settings are loaded.
type Options struct {
	Need    Part
	Now     time.Time // for what has expired; zero: the present moment
	Environ []string  // "NAME=value" each; nil: the process's environment
}
