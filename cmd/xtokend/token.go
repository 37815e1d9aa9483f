package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"mellium.im/xmpp/jid"

	"xtokend/auth"
	"xtokend/cmd/xtokend/internal/config"
)

type tokenCommand struct {
	settingsFlag
	At  instant `placeholder:"TIME" help:"Moment of issue, as in 2026-01-02T15:04:05Z (default now)."`
	JID string  `arg:"" name:"jid" help:"Bare JID of the user."`
}

// Run prints a token on one line and nothing else.
func (c *tokenCommand) Run(p *process) error {
	authcid, domain, err := c.user(c.JID)
	if err != nil {
		return err
	}
	name, err := auth.PrepareName(authcid)
	if err != nil {
		return usage("", "%q cannot be the name of a user: %s", authcid, detail(err))
	}
	token, err := issue(domain, name, c.At.orNow())
	if errors.Is(err, errKeysEnded) {
		return &failure{status: exitFailure, text: "every key of " + domain.Name + " has ended by then",
			hint: "add the [[domain.key]] that `xtokend keygen` prints"}
	}
	if err == nil {
		fmt.Fprintln(p.stdout, token)
	}
	return err
}

var errKeysEnded = errors.New("every key has ended")

// issue makes a token with the first key of a domain that has not ended by then.
func issue(domain *config.Domain, name auth.Name, at time.Time) (token string, err error) {
	key, ok := domain.SigningKey(at)
	if !ok {
		return "", errKeysEnded
	}
	return key.Issue(name, domain.Name, at)
}

// detail returns what is wrong with a name, without the reason that a verdict has.
func detail(err error) string {
	var refusal *auth.Refusal
	if errors.As(err, &refusal) && refusal.Detail != "" {
		return refusal.Detail
	}
	return err.Error()
}

// user loads the settings that a token needs and finds in them the domain of
// address; authcid is the name before it.
func (f settingsFlag) user(address string) (authcid string, _ *config.Domain, _ error) {
	cfg, err := config.Load(f.Config, config.Options{Need: config.Keys})
	if err != nil {
		return "", nil, err
	}
	return splitJID(cfg.Domains, address)
}

// splitJID splits a JID at its last @: what stands before it is the authcid as
// a client sends it, which may be no localpart at all.
func splitJID(domains []config.Domain, address string) (authcid string, _ *config.Domain, _ error) {
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return "", nil, usage("write NAME@DOMAIN", "%q is not a bare JID", address)
	}
	authcid, domainpart := address[:at], address[at+1:]
	if d := findDomain(domains, domainpart); d != nil {
		return authcid, d, nil
	}
	return "", nil, usage("configured: "+names(domains), "%q is not a configured domain", domainpart)
}

// findDomain returns the domain of a name as a person writes it, or nil.
func findDomain(domains []config.Domain, name string) *config.Domain {
	prepared, err := jid.New("", name, "")
	if err != nil {
		return nil
	}
	for i := range domains {
		if domains[i].Name == prepared.Domainpart() {
			return &domains[i]
		}
	}
	return nil
}

// names lists the configured domains, for hints.
func names(domains []config.Domain) string {
	list := make([]string, len(domains))
	for i := range domains {
		list[i] = domains[i].Name
	}
	return strings.Join(list, ", ")
}

// instant is a moment on the command line.
type instant struct {
	time.Time
	given bool
}

// UnmarshalText is called by the parser of the command line. It reads a time as RFC 3339 writes it.
func (t *instant) UnmarshalText(text []byte) (err error) {
	t.given = true
	t.Time, err = time.Parse(time.RFC3339, string(text))
	if err != nil {
		return fmt.Errorf("%q is not a time such as 2026-01-02T15:04:05Z (RFC 3339)", text)
	}
	return nil
}

// orNow returns the present moment if none was given.
func (t instant) orNow() time.Time {
	if !t.given {
		return time.Now()
	}
	return t.Time
}
