package doctor

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"mellium.im/xmpp/jid"

	"xtokend/cmd/xtokend/internal/config"
	"xtokend/component/link"
	"xtokend/component/server"
)

const (
	// splitQuestions are enough to be nearly sure that one of them goes astray if
	// two connections share the answers.
	splitQuestions = 12
	splitPatience  = 10 * time.Second
)

// trial makes a trial account, logs in to it in every way, and removes it.
func (x *examination) trial(ctx context.Context, d *Domain) {
	a := x.about(TopicLink, d.Name)
	if f := d.LinkFinding; f.Level != "" {
		f.Topic, f.Domain = TopicLink, d.Name
		x.report.add(f)
	}
	user, err := trialUser(d.Name)
	if err != nil {
		x.about(TopicLogin, d.Name).skip("no trial account can be named: %v", err)
		return
	}
	if d.Remove == nil {
		x.about(TopicLogin, d.Name).skip("no login was tried: %s", d.NoLogin)
		x.doors(ctx, d)
		return
	}
	if d.Link != nil {
		if x.split(ctx, d, a, user) {
			x.doors(ctx, d)
			return
		}
		if made, err := x.add(ctx, d, a, user); err != nil {
			if made {
				x.remove(ctx, d, user)
			}
			x.doors(ctx, d)
			return
		}
	}
	defer x.remove(ctx, d, user)
	if good := x.logins(ctx, d, user); good != nil && d.Upstream == config.UpstreamServer {
		x.salts(ctx, d, user)
		x.rate(ctx, d, user, *good)
	}
}

// add looks what the component may do: it makes the trial account, and gives it the
// password that it has. made says that it may be there after an error.
func (x *examination) add(ctx context.Context, d *Domain, a about, user jid.JID) (made bool, err error) {
	ctx, cancel := step(ctx)
	defer cancel()
	hint := fmt.Sprintf(`the component must be an administrator of the domain: on Prosody "admin_adhoc" in modules_enabled and, in the VirtualHost, admins = { %[1]q }; `+
		`on ejabberd mod_adhoc, mod_configure, acl: {admin: {server: %[1]s}} and access_rules: {configure: {allow: admin}}`, d.Component.Name)
	password := server.Password([]byte(d.Server.AccountSecret.Reveal()), user)
	if err := d.Link.Add(ctx, user, password); err != nil {
		a.fail(hint, "the component cannot make an account: %v", err)
		return errors.Is(err, link.ErrDown) || ctx.Err() != nil, err
	}
	if err := d.Link.SetPassword(ctx, user, password); err != nil {
		a.fail(hint, "the component cannot change an account: %v", err)
		return true, err
	}
	a.ok("the component makes and changes accounts")
	return true, nil
}

// split finds another connection of the component's name. ejabberd takes several,
// and gives each a part of the answers; Prosody refuses the second one. It asks of a
// user who need not exist, so that nothing is made of which the end could get lost.
func (x *examination) split(ctx context.Context, d *Domain, a about, user jid.JID) bool {
	ctx, cancel := context.WithTimeout(ctx, splitPatience)
	defer cancel()
	lost := make(chan bool, splitQuestions)
	for range splitQuestions {
		go func() {
			_, err := d.Link.Resources(ctx, user)
			lost <- errors.Is(err, context.DeadlineExceeded)
		}()
	}
	missing := 0
	for range splitQuestions {
		if <-lost {
			missing++
		}
	}
	if missing > 0 {
		a.fail("give each xtokend a component of its own ([domain.component] name), and on ejabberd set global_routes: false at the listener for components",
			"%d of %d answers to the component have not come: another program is connected as %s", missing, splitQuestions, d.Component.Name)
	}
	return missing > 0
}

// salts finds a server that keeps passwords in clear, and derives keys with another
// salt at each login: that costs it, and xtokend, much time.
func (x *examination) salts(ctx context.Context, d *Domain, user jid.JID) {
	ctx, cancel := step(ctx)
	defer cancel()
	address := d.Server.Addresses[0]
	first, err := salt(ctx, d.Domain, address, user)
	if err != nil {
		return
	}
	second, err := salt(ctx, d.Domain, address, user)
	if err != nil || first == second {
		return
	}
	x.about(TopicServer, d.Name).warn(
		`on Prosody authentication = "internal_hashed", on ejabberd auth_password_format: scram`,
		"the server keeps passwords in clear and makes a new salt at each login, so that no key can be kept: each login costs several milliseconds more")
}

// salt begins a SCRAM exchange (RFC 5802 §5) and leaves it.
func salt(ctx context.Context, d *config.Domain, address string, user jid.JID) (string, error) {
	s, features, err := openServer(ctx, d, address)
	if err != nil {
		return "", err
	}
	defer s.close()
	mechanism := "SCRAM-SHA-1"
	for _, offered := range mechanisms(features) {
		if offered == "SCRAM-SHA-256" {
			mechanism = offered
		}
	}
	name := strings.NewReplacer("=", "=3D", ",", "=2C").Replace(user.Localpart())
	first := base64.StdEncoding.EncodeToString([]byte("n,,n=" + name + ",r=" + rand.Text()))
	if err := s.send("<auth xmlns='" + nsSASL + "' mechanism='" + mechanism + "'>" + first + "</auth>"); err != nil {
		return "", err
	}
	challenge, err := expect(s, nsSASL, "challenge")
	if err != nil {
		return "", err
	}
	text, err := base64.StdEncoding.DecodeString(strings.TrimSpace(challenge.Text))
	if err != nil {
		return "", err
	}
	for _, field := range strings.Split(string(text), ",") {
		if value, ok := strings.CutPrefix(field, "s="); ok {
			return value, nil
		}
	}
	return "", errors.New("no salt")
}

// remove leaves nothing behind, also when the examination was broken off.
func (x *examination) remove(ctx context.Context, d *Domain, user jid.JID) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	a := x.about(TopicAccounts, d.Name)
	if err := d.Remove(ctx, user); err != nil {
		a.fail("remove it: `prosodyctl deluser "+user.String()+"`, or `ejabberdctl unregister "+user.Localpart()+" "+d.Name+"`",
			"the trial account %s may be there still: %v", user, err)
		return
	}
	a.ok("nothing is left of the trial account %s", user)
}
