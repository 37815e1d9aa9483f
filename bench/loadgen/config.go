package main

import (
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// config is what the flags say.
type config struct {
	domain, transport, addr, mechanism, prefix, httpHost, messageType string
	workers, n, users, window, body, sources, before                  int
	duration, warmup, timeout, hold                                   time.Duration
	rate                                                              float64

	passwords passwords
	tokens    *tokens
	tls       *tls.Config
	url       *url.URL // of ws, wss and bosh
	pids      []int

	version atomic.Uint32 // of TLS, once a client has used it
	source  atomic.Uint32 // counts connections
}

func parseConfig(mode string, args []string) (*config, error) {
	c := &config{}
	fs := flag.NewFlagSet("loadgen "+mode, flag.ExitOnError)
	fs.StringVar(&c.domain, "domain", "example.org", "the XMPP domain")
	fs.StringVar(&c.transport, "transport", "tcp", "tcp, starttls, tls, ws, wss or bosh")
	fs.StringVar(&c.addr, "addr", "127.0.0.1:5222", "host:port, or a URL for ws, wss and bosh")
	fs.StringVar(&c.httpHost, "http-host", "", "Host header for ws, wss and bosh (default: the URL's)")
	fs.StringVar(&c.mechanism, "mechanism", "X-TOKEN", "X-TOKEN, PLAIN or SCRAM-SHA-1")
	seed := fs.String("seed", "XVGR73KMZH2M4XMY", "X-TOKEN: OTP seed, base32")
	secret := fs.String("secret", "JYXEX4IQOEYFYQ2S3MC5P4ZT4SDHYEA7", "X-TOKEN: token secret, as ASCII")
	fs.StringVar(&c.passwords.same, "password", "secret", "PLAIN, SCRAM-SHA-1: everybody's password")
	fs.StringVar(&c.passwords.accountSecret, "account-secret", "",
		"PLAIN, SCRAM-SHA-1: each user has the password that xtokend derives from this")
	fs.StringVar(&c.prefix, "user-prefix", "u", "users are PREFIX0, PREFIX1, ...")
	fs.IntVar(&c.users, "users", 0, "there are only so many users (0: one for each worker or session)")
	fs.IntVar(&c.workers, "workers", 8, "login: loops; relay: pairs; idle: how many sessions open at a time")
	fs.IntVar(&c.n, "n", 2000, "idle, storm: sessions")
	fs.IntVar(&c.sources, "sources", 0,
		"clients connect from so many addresses of 127.0.0.0/8, for limits that count by address (0: as the kernel does)")
	fs.DurationVar(&c.duration, "duration", 10*time.Second, "login, relay: what is measured")
	fs.DurationVar(&c.warmup, "warmup", time.Second, "login, relay: the time before")
	fs.DurationVar(&c.timeout, "timeout", 10*time.Second, "limit for one login")
	fs.IntVar(&c.window, "window", 32, "relay: messages of a pair on their way")
	fs.IntVar(&c.body, "body", 200, "relay: length of the body in bytes")
	fs.StringVar(&c.messageType, "message-type", "headline", "relay: of the messages (servers archive chat, not headline)")
	fs.Float64Var(&c.rate, "rate", 200, "idle: new sessions a second")
	fs.IntVar(&c.before, "before", 0,
		"idle: so many sessions are held before the first reading, so that it has what a server needs once")
	fs.DurationVar(&c.hold, "hold", 10*time.Second, "idle: how long sessions are held before the reading")
	pids := fs.String("pid", "", "the servers' process ids, with commas between, for CPU time and memory")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}

	var err error
	if c.tokens, err = newTokens(*seed, *secret); err != nil {
		return nil, err
	}
	for pid := range strings.SplitSeq(*pids, ",") {
		if pid == "" {
			continue
		}
		number, err := strconv.Atoi(pid)
		if err != nil {
			return nil, fmt.Errorf("-pid: %w", err)
		}
		c.pids = append(c.pids, number)
	}
	if c.workers < 1 || c.n < 1 || c.window < 1 || c.rate <= 0 {
		return nil, errors.New("-workers, -n, -window and -rate must be above 0")
	}
	c.tls = &tls.Config{
		InsecureSkipVerify: true,
		ServerName:         c.domain,
		// The hybrid post-quantum share, which few servers take, would cost the client time.
		CurvePreferences:       []tls.CurveID{tls.X25519},
		SessionTicketsDisabled: true,
	}
	if c.transport == "tls" {
		c.tls.NextProtos = []string{"xmpp-client"} // XEP-0368
	}
	return c, c.parseURL()
}

func (c *config) parseURL() error {
	switch {
	case slices.Contains([]string{"tcp", "starttls", "tls"}, c.transport):
		_, _, err := net.SplitHostPort(c.addr)
		return err
	case !slices.Contains([]string{"ws", "wss", "bosh"}, c.transport):
		return fmt.Errorf("unknown -transport %q", c.transport)
	}
	var err error
	if c.url, err = url.Parse(c.addr); err != nil {
		return err
	}
	if c.url.Port() == "" {
		return fmt.Errorf("-transport %s wants a URL with a port in -addr", c.transport)
	}
	if c.httpHost == "" {
		c.httpHost = c.url.Host
	}
	return nil
}

// user is the name of the i-th one.
func (c *config) user(i int) string {
	if c.users > 0 {
		i %= c.users
	}
	return c.prefix + strconv.Itoa(i)
}

func (c *config) tlsVersion() string {
	if v := c.version.Load(); v != 0 {
		return tls.VersionName(uint16(v))
	}
	return ""
}
