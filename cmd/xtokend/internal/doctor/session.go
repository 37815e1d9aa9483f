package doctor

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"xtokend/cmd/xtokend/internal/config"
	"xtokend/internal/element"
)

const (
	nsStanzas = "urn:ietf:params:xml:ns:xmpp-stanzas"
	nsTime    = "urn:xmpp:time"

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
	// Its answer was made in between, and may be cut to the second.
	var off time.Duration
	switch earliest, latest := asked.Add(-time.Second), answered; {
	case its.Before(earliest):
		off = asked.Sub(its)
	case its.After(latest):
		off = its.Sub(answered)
	}
	const hint = "set both by NTP (timedatectl status), and the clock of the web application's machine too: a token is good for a minute"
	switch {
	case off > mostClockError:
		a.fail(hint, "the server's clock and this machine's are %s apart", off.Round(time.Second))
	case off > goodClockError:
		a.warn(hint, "the server's clock and this machine's are %s apart", off.Round(time.Second))
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
