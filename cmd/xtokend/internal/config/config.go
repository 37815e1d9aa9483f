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

	"xtokend/auth"
)

// DefaultPath is where the settings lie when no other file is named.
const DefaultPath = "/etc/xtokend/xtokend.toml"

// Config is what Load made of a settings file. Every value is checked, every
// default filled in and every path absolute or relative to the working
// directory of the process.
type Config struct {
	Path      string
	Listeners []Listener
	TLS       *TLS // nil: the file has no [tls]
	Domains   []Domain
	Replay    Replay
	Limits    Limits
	Log       Log
	// Warnings are the things that work and should not stay as they are. Load
	// fills them in as far as it came, also when it returns an error.
	Warnings []Finding
}

// Scheme is how a listener speaks to clients.
type Scheme string

const (
	XMPP  Scheme = "xmpp"  // TCP, STARTTLS required before authentication except on loopback
	XMPPS Scheme = "xmpps" // direct TLS (XEP-0368)
)

// Listener is one address on which clients are served.
type Listener struct {
	Scheme   Scheme
	Address  netip.AddrPort // port 0: any free port
	Loopback bool           // Address is in 127.0.0.0/8 or is ::1
}

// String returns the listener as the settings write it, "xmpp://[::]:5222".
func (l Listener) String() string { return string(l.Scheme) + "://" + l.Address.String() }

// TLS is the certificate shown to clients.
type TLS struct {
	CertificatePath, KeyPath string
	// Pair is what the two files held; empty unless Options.Need has Certificate.
	Pair tls.Certificate
}

// Domain is one domain whose users log in.
type Domain struct {
	Name           string   // prepared domainpart (RFC 7622 §3.2)
	Mechanisms     []string // at least one, as spelt on the wire, none twice
	Skew           int      // steps of 30 s accepted on either side of the present one
	FoldCase       bool
	IssuerTimezone *time.Location // nil: none
	Keys           []Key          // empty unless Options.Need has Keys
	Server         Server
	Component      *Component // nil: no component link
}

// Key is one key of a domain and the moment from which it does not exist.
type Key struct {
	auth.Key
	NotAfter time.Time // zero: no end
}

// Protection is how a connection to the server is encrypted.
type Protection string

const (
	Plaintext Protection = "none" // to loopback addresses only
	STARTTLS  Protection = "starttls"
	DirectTLS Protection = "direct"
)

// Accounts is who makes the users' accounts on the server.
type Accounts string

const (
	AccountsComponent Accounts = "component" // xtokend, through the component link
	AccountsRegister  Accounts = "register"  // xtokend, by in-band registration (XEP-0077)
	AccountsExisting  Accounts = "existing"  // somebody else
)

// Server is the XMPP server behind a domain.
type Server struct {
	Addresses  []string // host:port, at least one
	TLS        Protection
	CAFile     string         // "": the system's certificate authorities
	RootCAs    *x509.CertPool // of CAFile; nil without one, or unless Options.Need has Accounts
	ServerName string         // the name its certificate must have
	Accounts   Accounts
	// AccountSecret is what the accounts' passwords are derived from; zero
	// unless Options.Need has AccountSecrets.
	AccountSecret Secret
	Takeover      bool
	Protected     []string // prepared localparts that are never taken over
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
	ReplayMemory ReplayStore = "memory"
	ReplayFile   ReplayStore = "file"
)

// Replay is the store of used tokens.
type Replay struct {
	Store ReplayStore
	Path  string // of ReplayFile
}

// Limits bound what clients can use up.
type Limits struct {
	AuthAttempts              int // failed ones, per stream
	FailedPerMinutePerAddress int // 0: no limit
	FailedPerMinutePerUser    int // 0: no limit
	IPv6Prefix                int // leading bits of an IPv6 address that count as one client
	Streams                   int
	StreamsPerAddress         int // 0: no limit
	Unauthenticated           int // streams
	ElementBytes              int
	ElementDepth              int
	NegotiationTimeout        time.Duration
	WriteTimeout              time.Duration
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
	AccountSecrets                  // account secrets, component secrets, the servers' authorities
	Certificate                     // the certificate and its key
	Everything     = Keys | AccountSecrets | Certificate
)

// Options say for what, when and where settings are loaded.
type Options struct {
	Need    Part
	Now     time.Time // for what has expired; zero: the present moment
	Environ []string  // "NAME=value" each; nil: the process's environment
}
