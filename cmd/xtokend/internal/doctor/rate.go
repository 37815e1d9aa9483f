package doctor

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"time"

	"mellium.im/xmpp/jid"
)

const (
	nsPing = "urn:xmpp:ping"

	// A server that takes the default 10 kB/s of each client, 20 kB at once, needs more
	// than 10 s for these, and one that takes what comes some milliseconds. On a busy
	// machine small stanzas take their time too: as much again is allowed for.
	burstStanzas     = 16
	burstStanzaBytes = 8 << 10
	burstTimeout     = 12 * time.Second
	slowBurst        = 6 * time.Second
	allowance        = 5 // times what small stanzas take
)

// rate finds a limit on the bytes that the server takes of a client: it slows down
// every login and all traffic of users that relay it.
func (x *examination) rate(ctx context.Context, d *Domain, user jid.JID, r route) {
	ctx, cancel := context.WithTimeout(ctx, burstTimeout)
	defer cancel()
	c, err := connect(ctx, r, d.Name)
	if err != nil {
		return // told of the logins
	}
	defer c.close()
	if err := c.logIn(d.Domain, user); err != nil {
		return
	}
	usual, err := c.burst(d.Name, 0)
	if err != nil {
		return
	}
	took, err := c.burst(d.Name, burstStanzaBytes)
	a, slow := x.about(TopicServer, d.Name), took > slowBurst+allowance*usual
	switch {
	case slow || ctx.Err() != nil:
		a.warn(`on Prosody limits = { c2s = { rate = "10mb/s" } }, on ejabberd shaper: none at the listener for clients`,
			"the server slows clients down: %d kB have taken it %s or more", burstStanzas*burstStanzaBytes>>10, took.Round(100*time.Millisecond))
	case err != nil:
		a.warn("see the server's log", "the server answers %d kB at once with: %v", burstStanzas*burstStanzaBytes>>10, err)
	default:
		a.ok("the server takes what clients send without delay")
	}
}

// burst sends pings of that size at once (XEP-0199), and says how long it is until all
// are answered, or until it fails.
func (c *connection) burst(domain string, bytes int) (took time.Duration, err error) {
	began := time.Now()
	defer func() { took = time.Since(began) }()
	payload := "<ping xmlns='" + nsPing + "'>" + strings.Repeat(" ", bytes) + "</ping>"
	ids := make([]string, burstStanzas)
	for i := range ids {
		ids[i] = rand.Text()
		if err := c.send(iq(ids[i], payload, "get", domain)); err != nil {
			return 0, err
		}
	}
	for _, id := range ids {
		_, err := c.answer(id)
		if refused := (*stanzaError)(nil); err != nil && !errors.As(err, &refused) { // a refusal is an answer
			return 0, err
		}
	}
	return 0, nil
}
