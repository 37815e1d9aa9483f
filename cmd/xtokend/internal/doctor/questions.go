package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"mellium.im/xmpp/jid"

	"xtokend/cmd/xtokend/internal/config"
)

// questions looks at a domain whose clients another server has: it asks about a token
// as that server does.
func (x *examination) questions(ctx context.Context, d *Domain) {
	a := x.about(TopicLogin, d.Name)
	user, err := trialUser(d.Name)
	if err != nil {
		a.skip("no user can be named: %v", err)
		return
	}
	if d.Ask == nil {
		a.skip("nobody was asked about a token: %s", d.NoLogin)
	} else {
		x.question(ctx, d, a, user, "xtokend", d.Ask)
	}
	if x.HTTPAuth != nil && x.Running {
		x.question(ctx, d, a, user, x.HTTPAuth.Listener.String(), x.askHTTP)
	}
}

// question asks about a good token, and about the same one again.
func (x *examination) question(ctx context.Context, d *Domain, a about, user jid.JID, who string, ask func(context.Context, jid.JID, string) (bool, error)) {
	ctx, cancel := step(ctx)
	defer cancel()
	t, err := token(d.Domain, user, time.Now())
	if err != nil {
		a.fail("add the [[domain.key]] that `xtokend keygen` prints", "no token can be made: %v", err)
		return
	}
	for _, want := range []bool{true, false} {
		switch yes, err := ask(ctx, user, t); {
		case err != nil:
			a.fail("see xtokend's log: journalctl -u xtokend; [http_auth] is read when xtokend starts: systemctl restart xtokend",
				"%s does not answer about a token: %v", who, err)
			return
		case want && !yes:
			a.fail("if the keys were changed, reload xtokend: systemctl reload xtokend; its log names the reason", "%s refuses a good token", who)
			return
		case yes && !want:
			a.fail("see [replay]: every node of a domain must have the same store", "%s takes the same token twice", who)
			return
		}
	}
	a.ok("%s says yes to a good token, and no to the same one again", who)
}

// maxAnswerBytes bounds an answer over HTTP: true or false.
const maxAnswerBytes = 16

// askHTTP asks the running daemon's listener for other servers.
func (x *examination) askHTTP(ctx context.Context, user jid.JID, token string) (yes bool, err error) {
	l := x.HTTPAuth.Listener
	client := webClient(func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, Reachable(l.Address))
	}, clientTLS(user.Domainpart()))
	defer client.CloseIdleConnections()
	scheme := "http"
	if l.Scheme == config.HTTPS {
		scheme = "https"
	}
	form := url.Values{"user": {user.Localpart()}, "server": {user.Domainpart()}, "pass": {token}}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, scheme+"://"+Reachable(l.Address)+"/check_password", strings.NewReader(form.Encode()))
	if err != nil {
		return false, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Authorization", "Bearer "+x.HTTPAuth.BearerSecret.Reveal())
	answer, err := client.Do(request)
	if err != nil {
		return false, errors.Unwrap(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return false, &statusError{answer.StatusCode}
	}
	said, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswerBytes))
	switch text := string(said); {
	case err != nil:
		return false, err
	case text == "true" || text == "false":
		return text == "true", nil
	}
	return false, fmt.Errorf("the answer is neither true nor false, but %q", said)
}
