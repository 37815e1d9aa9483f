package doctor

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"mellium.im/xmpp/jid"

	"xtokend/auth"
	"xtokend/cmd/xtokend/internal/config"
)

// token makes a token for a trial user, with the key that signs.
func token(d *config.Domain, user jid.JID, at time.Time) (string, error) {
	name, err := auth.PrepareName(user.Localpart())
	if err != nil {
		return "", err
	}
	key, ok := d.SigningKey(at)
	if !ok {
		return "", errors.New("every key has ended")
	}
	return key.Issue(name, d.Name, at)
}

// refusedLogin is a SASL failure.
type refusedLogin struct{ condition string }

func (e *refusedLogin) Error() string { return "the login is refused: " + e.condition }

// logIn logs the user in with a fresh token, and binds a resource (RFC 6120 §6, §7).
func (c *connection) logIn(d *config.Domain, user jid.JID) error {
	offered := mechanisms(c.features)
	mechanism := d.Mechanisms[0]
	switch {
	case len(offered) == 0:
		return errNotOffered
	case !slices.Contains(offered, mechanism):
		return fmt.Errorf("%s is not offered, but %s", mechanism, strings.Join(offered, ", "))
	}
	t, err := token(d, user, time.Now())
	if err != nil {
		return err
	}
	initialResponse := base64.StdEncoding.EncodeToString([]byte("\x00" + user.Localpart() + "\x00" + t))
	if err := c.send("<auth xmlns='" + nsSASL + "' mechanism='" + mechanism + "'>" + initialResponse + "</auth>"); err != nil {
		return err
	}
	answer, err := c.next()
	switch {
	case err != nil:
		return err
	case answer.Name.Space == nsSASL && answer.Name.Local == "failure":
		return &refusedLogin{condition(answer)}
	case answer.Name.Space != nsSASL || answer.Name.Local != "success":
		return fmt.Errorf("expected <success/>, got <%.64s/>", answer.Name.Local)
	}
	if c.features, err = c.open(); err != nil {
		return err
	}
	bound, err := c.request("<bind xmlns='"+nsBind+"'/>", "set", "")
	if err != nil {
		return fmt.Errorf("resource binding: %w", err)
	}
	bind, _ := bound.Child(nsBind, "bind")
	at, _ := bind.Child(nsBind, "jid")
	if full, err := jid.Parse(strings.TrimSpace(at.Text)); err != nil || !full.Bare().Equal(user) {
		return errors.New("the server has bound another address than the user's")
	}
	return nil
}

var errNotOffered = errors.New("no mechanism is offered")

// logins tries every way that clients take, and looks around in the first session
// that stands. It returns the way to that one, or nil.
func (x *examination) logins(ctx context.Context, d *Domain, user jid.JID) (good *route) {
	for _, r := range x.routes() {
		if ctx.Err() != nil {
			return good
		}
		if x.loginBy(ctx, d, user, r, good == nil) && good == nil {
			good = &r
		}
	}
	return good
}

func (x *examination) loginBy(ctx context.Context, d *Domain, user jid.JID, r route, look bool) bool {
	ctx, cancel := step(ctx)
	defer cancel()
	a := x.about(TopicLogin, d.Name)
	c, err := connect(ctx, r, d.Name)
	if err != nil {
		x.unreachable(a, r, err)
		return false
	}
	defer c.close()
	x.shown(d, r, c)
	began := time.Now()
	if err := c.logIn(d.Domain, user); err != nil {
		x.loginFailed(a, r, err)
		return false
	}
	a.ok("a token logs in at %s, in %s", r, time.Since(began).Round(time.Millisecond))
	if look {
		x.session(d, c)
	}
	return true
}

// shown judges the certificate of a listener. Browsers look for the name that their page
// gives: see [examination.publicURL].
func (x *examination) shown(d *Domain, r route, c *connection) {
	if c.tls == nil {
		return
	}
	name := asciiName(d.Name)
	if r.Listener.IsWeb() {
		name = ""
	}
	x.certificate(d.Name, name, "at "+r.Listener.String(), c.tls)
}

// doors opens a stream at every way that clients take, and logs nobody in.
func (x *examination) doors(ctx context.Context, d *Domain) {
	for _, r := range x.routes() {
		if ctx.Err() != nil {
			return
		}
		x.door(ctx, d, r)
	}
}

func (x *examination) door(ctx context.Context, d *Domain, r route) {
	ctx, cancel := step(ctx)
	defer cancel()
	a := x.about(TopicLogin, d.Name)
	c, err := connect(ctx, r, d.Name)
	if err != nil {
		x.unreachable(a, r, err)
		return
	}
	defer c.close()
	x.shown(d, r, c)
	if offered := mechanisms(c.features); len(offered) > 0 {
		a.ok("%s offers %s", r, strings.Join(offered, ", "))
		return
	}
	x.loginFailed(a, r, errNotOffered)
}

func (x *examination) unreachable(a about, r route, err error) {
	var status *statusError
	if errors.As(err, &status) && r.Listener.IsWeb() && status.status == 403 {
		a.skip("%s answers %v: it is for the trusted proxies, of which this machine is none; try it through the proxy", r, status)
		return
	}
	if strings.Contains(err.Error(), "host-unknown") {
		a.fail("reload xtokend after a change of its settings: systemctl reload xtokend", "%s does not serve the domain: the daemon runs with other settings", r)
		return
	}
	a.fail("see xtokend's log: journalctl -u xtokend", "%s does not answer as it should: %v", r, err)
}

// loginFailed says what a refusal means. The front tells clients little, and its
// log more.
func (x *examination) loginFailed(a about, r route, err error) {
	const log = "xtokend's log names the reason, at this moment and for the user " + TrialPrefix + "…"
	var refused *refusedLogin
	switch {
	case errors.Is(err, errNotOffered) && r.Listener.IsWeb() && r.Listener.Scheme != config.HTTPS:
		a.skip("%s offers no login to this machine, but to clients that a trusted proxy has served over TLS", r)
	case errors.Is(err, errNotOffered):
		a.fail("give xtokend a certificate: [tls]", "%s offers no login: the connection is not encrypted", r)
	case !errors.As(err, &refused):
		a.fail(log, "%s: a login with a token fails: %v", r, err)
	case strings.HasPrefix(refused.condition, "temporary-auth-failure"):
		a.fail("see what is found of the server, the component link and the replay store; "+log, "%s: %v", r, err)
	case strings.HasPrefix(refused.condition, "credentials-expired"):
		a.fail("the daemon's clock differs from this command's; "+log, "%s: %v", r, err)
	case x.Running:
		a.fail("if the keys were changed, reload xtokend: systemctl reload xtokend; "+log, "%s: %v", r, err)
	default:
		a.fail("see what is found of the server and the component link", "%s: %v", r, err)
	}
}
