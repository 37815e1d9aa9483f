package doctor

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"mellium.im/xmpp/jid"

	"xtokend/cmd/xtokend/internal/config"
	"xtokend/internal/element"
)

const (
	nsStanzas = "urn:ietf:params:xml:ns:xmpp-stanzas"
	nsTime    = "urn:xmpp:time"
	nsPing    = "urn:xmpp:ping"

	// A server that takes the default 10 kB/s of each client needs 6 s for these,
	// and one that takes what comes some milliseconds.
	burstStanzas     = 8
	burstStanzaBytes = 8 << 10
	burstTimeout     = 5 * time.Second
	slowBurst        = 2 * time.Second

	// mostClockError is half a step of a token; beyond it two clocks can disagree
	// about a token that a skew of 1 should admit.
	mostClockError = 15 * time.Second
	goodClockError = 3 * time.Second
)

// stanzaError is the answer to a request that the server refuses.
type stanzaError struct{ condition string }

func (e *stanzaError) Error() string { return "the server answers " + e.condition }

// request sends an IQ and returns its answer (RFC 6120 §8.2.3). Whatever else comes
// before it is dropped.
func (c *connection) request(payload, kind, to string) (element.Element, error) {
	id := rand.Text()
	if err := c.send(iq(id, payload, kind, to)); err != nil {
		return element.Element{}, err
	}
	return c.answer(id)
}

func iq(id, payload, kind, to string) string {
	if to != "" {
		to = " to='" + element.Escape(to) + "'"
	}
	return fmt.Sprintf("<iq xmlns='%s' type='%s' id='%s'%s>%s</iq>", nsClient, kind, id, to, payload)
}

func (c *connection) answer(id string) (element.Element, error) {
	for {
		e, err := c.next()
		if err != nil {
			return element.Element{}, err
		}
		if e.Name.Local != "iq" || e.AttrValue("id") != id {
			continue
		}
		if e.AttrValue("type") == "error" {
			refusal, _ := e.Child(nsClient, "error")
			return e, &stanzaError{condition(refusal)}
		}
		return e, nil
	}
}

// session looks at the server from a user's session.
func (x *examination) session(d *Domain, c *connection) {
	if d.Upstream == config.UpstreamHost {
		return // the host is a part of this program
	}
	x.clock(d, c)
	x.registration(d, c)
	x.resumption(d, c)
}

// clock compares the server's clock with this machine's (XEP-0202).
func (x *examination) clock(d *Domain, c *connection) {
	a := x.about(TopicTime, d.Name)
	asked := x.Now()
	answer, err := c.request("<time xmlns='"+nsTime+"'/>", "get", d.Name)
	answered := x.Now()
	var refused *stanzaError
	if errors.As(err, &refused) {
		a.skip("the server does not tell its time (on Prosody the module time, on ejabberd mod_time)")
		return
	}
	told, _ := answer.Child(nsTime, "time")
	utc, _ := told.Child(nsTime, "utc")
	its, perr := time.Parse(time.RFC3339, strings.TrimSpace(utc.Text))
	if err != nil || perr != nil {
		a.skip("the server's time could not be asked for")
		return
	}
	// Its answer may be cut to the second; ours was made in between.
	off := its.Sub(asked.Add(answered.Sub(asked) / 2))
	const hint = "set both by NTP (timedatectl status), and the clock of the web application's machine too: a token is good for a minute"
	switch {
	case off.Abs() > mostClockError:
		a.fail(hint, "the server's clock and this machine's are %s apart", off.Abs().Round(time.Second))
	case off.Abs() > goodClockError:
		a.warn(hint, "the server's clock and this machine's are %s apart", off.Abs().Round(time.Second))
	default:
		a.ok("the server's clock and this machine's agree")
	}
}

// registration finds in-band registration, by which a user may change the password
// that xtokend keeps, or delete the account (XEP-0077 §3.2, §3.3).
func (x *examination) registration(d *Domain, c *connection) {
	const query = "<query xmlns='" + nsRegister + "'/>"
	if _, err := c.request(query, "get", ""); err != nil { // Prosody has it for the own account
		if _, err = c.request(query, "get", d.Name); err != nil {
			return
		}
	}
	x.about(TopicServer, d.Name).warn(
		`on Prosody take "register" out of modules_enabled (and disable "user_account_management"), on ejabberd take out mod_register`,
		"users can change the password of their account, or delete it, on the server (in-band registration): their tokens are refused then")
}

// resumption looks for stream management, without which a page that is loaded again
// loses messages (XEP-0198).
func (x *examination) resumption(d *Domain, c *connection) {
	a := x.about(TopicServer, d.Name)
	for _, space := range []string{"urn:xmpp:sm:3", "urn:xmpp:sm:2"} {
		if _, ok := c.features.Child(space, "sm"); ok {
			a.ok("sessions can be resumed")
			return
		}
	}
	a.warn(`on Prosody add "smacks" to modules_enabled, on ejabberd mod_stream_mgmt`,
		"the server has no stream management: a lost connection loses messages, and every reload of a page is a new session")
}

// rate finds a limit on the bytes that the server takes of a client: it slows down
// every login and all traffic of users that relay it.
func (x *examination) rate(ctx context.Context, d *Domain, user jid.JID, r route) {
	a := x.about(TopicServer, d.Name)
	ctx, cancel := context.WithTimeout(ctx, burstTimeout)
	defer cancel()
	c, err := connect(ctx, r, d.Name)
	if err != nil {
		return
	}
	defer c.close()
	if err := c.logIn(d.Domain, user); err != nil {
		return
	}
	padding := strings.Repeat(" ", burstStanzaBytes)
	began := time.Now()
	ids := make([]string, burstStanzas)
	for i := range ids {
		if err == nil {
			ids[i] = rand.Text()
			err = c.send(iq(ids[i], "<ping xmlns='"+nsPing+"'>"+padding+"</ping>", "get", d.Name))
		}
	}
	for _, id := range ids {
		if err == nil {
			_, err = c.answer(id)
			var refused *stanzaError
			if errors.As(err, &refused) { // an answer is an answer
				err = nil
			}
		}
	}
	took := time.Since(began)
	if err == nil && took < slowBurst {
		a.ok("the server takes what clients send without delay")
		return
	}
	const hint = `on Prosody: limits = { c2s = { rate = "10mb/s" } }; on ejabberd: shaper: none at the listener for clients`
	if err != nil && took < slowBurst {
		a.warn("see the server's log", "the server answers %d kB at once with: %v", burstStanzas*burstStanzaBytes>>10, err)
		return
	}
	a.warn(hint, "the server slows clients down: %d kB have taken it %s or more", burstStanzas*burstStanzaBytes>>10, took.Round(100*time.Millisecond))
}
