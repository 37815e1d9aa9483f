package main

import (
	"context"
	"crypto/tls"
	"errors"
	"slices"

	"mellium.im/xmpp/jid"

	"xtokend/auth"
	"xtokend/cmd/xtokend/internal/config"
	"xtokend/cmd/xtokend/internal/extauth"
	"xtokend/cmd/xtokend/internal/httpauth"
	"xtokend/component"
	"xtokend/sasl"
)

// The adapters, as log and metrics name them.
const (
	adapterProgram = "extauth"
	adapterHTTP    = "http-auth"
)

// Answer implements [admin.Daemon].
func (o *operations) Answer(ctx context.Context, q extauth.Question) (bool, error) {
	return o.parts.answer(adapterProgram)(ctx, q)
}

// answer answers the questions of servers that ask through an adapter.
func (p *parts) answer(adapter string) extauth.Answer {
	return func(ctx context.Context, q extauth.Question) (bool, error) {
		if q.Verb == extauth.UserExists {
			return p.userExists(q), nil
		}
		if q.Verb != extauth.CheckPassword {
			return false, nil
		}
		err := p.front.Authenticate(ctx, component.External{Domain: q.Server, Authcid: q.User, Token: q.Password, Adapter: adapter})
		var failure *sasl.Failure
		if errors.As(err, &failure) && failure.Condition == sasl.TemporaryAuthFailure {
			return false, failure
		}
		return err == nil, nil
	}
}

// userExists says whether somebody is a user of a domain of ours: is named in its
// list, or could log in if it has none. xtokend has no accounts to look into.
func (p *parts) userExists(q extauth.Question) bool {
	server, err := jid.Parse(q.Server)
	if err != nil {
		return false
	}
	name, err := auth.PrepareName(q.User)
	if err != nil {
		return false
	}
	domains := p.current().cfg.Domains
	i := slices.IndexFunc(domains, func(d config.Domain) bool { return d.Name == server.String() })
	if i < 0 {
		return false
	}
	users := domains[i].Users
	_, listed := users[name.Localpart()]
	return users == nil || listed
}

// httpAuth returns what the server for questions over HTTP is made of. Its
// certificate is the one in use at each handshake.
func (p *parts) httpAuth(a *config.HTTPAuth) httpauth.Config {
	c := httpauth.Config{Secret: a.BearerSecret.Reveal(), Answer: p.answer(adapterHTTP), Logger: p.log}
	if a.Listener.Scheme == config.HTTPS {
		c.TLS = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: p.certificateInUse}
	}
	return c
}

func (p *parts) certificateInUse(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	certificate := p.current().certificate
	if certificate == nil {
		return nil, errors.New("[tls] was taken out of the settings")
	}
	return certificate.get(hello)
}
