package config

import (
	"crypto/x509"
	"fmt"

	"xtokend/auth"
)

// minAccountSecretBytes is the strength of the passwords made from it.
const minAccountSecretBytes = 32

// minComponentSecretBytes is below what anybody would generate; the server's
// administrator chose the secret.
const minComponentSecretBytes = 16

// server reads [domain.server]. What is absent has the defaults of a stock server
// whose port for clients has been moved to loopback.
func (l *loader) server(key string, raw *rawServer, domain string, link *Component) Server {
	s := Server{
		Addresses:  get(l, key+".addresses", raw.Addresses, []string{"127.0.0.1:5322"}),
		TLS:        oneOf(l, key+".tls", raw.TLS, Plaintext, Plaintext, STARTTLS, DirectTLS),
		CAFile:     get(l, key+".ca_file", raw.CAFile, ""),
		ServerName: get(l, key+".server_name", raw.ServerName, ""),
		Accounts:   oneOf(l, key+".accounts", raw.Accounts, AccountsComponent, AccountsComponent, AccountsRegister, AccountsExisting),
		SendProxy:  get(l, key+".send_proxy", raw.SendProxy, false),
		Takeover:   get(l, key+".takeover", raw.Takeover, false),
	}
	if len(s.Addresses) == 0 {
		l.fault(key+".addresses", `write addresses = ["127.0.0.1:5322"], say`, "is empty")
	}
	for i, address := range s.Addresses {
		l.peer(fmt.Sprintf("%s.addresses[%d]", key, i), address, s.TLS, `"starttls" or "direct"`)
	}
	encrypted := s.TLS != Plaintext || link != nil && link.TLS != Plaintext
	s.RootCAs = l.authorities(key, &s, encrypted)
	if s.ServerName == "" {
		s.ServerName = domain // RFC 6120 §13.7.2.1: the certificate is the domain's, not the machine's
	} else if !encrypted {
		l.fault(key+".server_name", "leave it out, or set tls", `has no effect with tls = "none"`)
	}
	s.AccountSecret = l.accountSecret(key+".account_secret", raw)
	s.PreviousSecret = l.previousSecret(key+".account_secret_previous", raw, s.AccountSecret)
	s.Protected = l.protected(key+".protected", raw.Protected)
	l.accounts(key, &s, link)
	return s
}

// accounts checks that the settings about accounts agree with each other.
func (l *loader) accounts(key string, s *Server, link *Component) {
	switch {
	case s.Accounts == AccountsComponent && link == nil:
		l.fault(key+".accounts", `add [domain.component], or set accounts to "register" or "existing"`, `"component" needs a component link`)
	case s.Accounts != AccountsComponent && s.Takeover:
		l.fault(key+".takeover", `leave it out, or set accounts = "component"`, "accounts = %q cannot set the password of an account that exists", s.Accounts)
	}
	if s.Accounts == AccountsComponent && s.Takeover {
		l.warn(key+".takeover", "set it back to false once every user has logged in", "the password of an account that exists is replaced at its user's first login")
	}
}

// authorities reads the certificate authorities. A file that would have no effect
// is a fault: whoever names one believes that the connection is encrypted.
func (l *loader) authorities(key string, s *Server, encrypted bool) *x509.CertPool {
	if s.CAFile == "" {
		return nil
	}
	if !encrypted {
		l.fault(key+".ca_file", "leave it out, or set tls", `has no effect with tls = "none"`)
		return nil
	}
	s.CAFile = l.path(s.CAFile)
	return l.authorityFile(key+".ca_file", s.CAFile)
}

// authorityFile reads a file of certificate authorities; nil if there was a fault,
// or they are not needed.
func (l *loader) authorityFile(key, path string) *x509.CertPool {
	if !l.need(AccountSecrets) {
		return nil
	}
	text, _, err := readFile(path, maxFileBytes)
	if err != nil {
		l.fault(key, "", "cannot read %s: %v", path, err)
		return nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		l.fault(key, "it must hold certificates in PEM form", "%s holds no certificate", path)
		return nil
	}
	return pool
}

// accountSecret refuses what is short, unlike the secrets that others have
// chosen: this one is made for xtokend alone.
func (l *loader) accountSecret(key string, raw *rawServer) Secret {
	s, ok := l.secret(l.need(AccountSecrets), key, raw.AccountSecret, raw.AccountSecretFile)
	if ok && len(s.text) < minAccountSecretBytes {
		l.fault(key, "make one with `openssl rand -base64 32`", "has %d characters; it must have %d or more", len(s.text), minAccountSecretBytes)
	}
	return s
}

// previousSecret reads the secret that accounts may still have their passwords of.
func (l *loader) previousSecret(key string, raw *rawServer, now Secret) Secret {
	l.secretNames[variable(key)] = true
	inline, file := raw.PreviousSecret, raw.PreviousSecretFile
	if inline.want+inline.got.text+file.want+file.got+l.environment(variable(key)) == "" {
		return Secret{}
	}
	s, ok := l.secret(l.need(AccountSecrets), key, inline, file)
	switch {
	case !ok:
		return Secret{}
	case len(s.text) < minAccountSecretBytes:
		l.fault(key, "give the account secret that was replaced", "has %d characters; it must have %d or more", len(s.text), minAccountSecretBytes)
	case s == now:
		l.warn(key, "leave it out, or give the account secret that was replaced", "is the account secret itself")
		return Secret{}
	default:
		l.warn(key, "leave it out once the accounts of all who log in have their new password (see the guide, doc/operations.md)",
			"whoever has the account secret that was replaced can still log in to accounts that have its password")
	}
	return s
}

// protected prepares names in the way of those that log in, or they would not be
// found to be the same.
func (l *loader) protected(key string, v value[[]string]) []string {
	var localparts []string
	for i, text := range get(l, key, v, []string{"admin"}) {
		name, err := auth.PrepareName(text)
		if err != nil {
			l.fault(fmt.Sprintf("%s[%d]", key, i), "write what stands before the @ of the address", "%q cannot be the name of a user", text)
			continue
		}
		localparts = append(localparts, name.Localpart())
	}
	return localparts
}

// component reads [domain.component], nil if the file has none.
func (l *loader) component(key string, raw *rawComponent) *Component {
	if raw == nil {
		return nil
	}
	c := &Component{
		Address: get(l, key+".address", raw.Address, "127.0.0.1:5347"),
		Name:    l.domainpart(key+".name", raw.Name, `write the name that the server knows the component by, "xtoken.example.org", say`),
		TLS:     oneOf(l, key+".tls", raw.TLS, Plaintext, Plaintext, DirectTLS),
	}
	l.peer(key+".address", c.Address, c.TLS, `"direct"`)
	secret, ok := l.secret(l.need(AccountSecrets), key+".secret", raw.Secret, raw.SecretFile)
	if ok && len(secret.text) < minComponentSecretBytes {
		l.warn(key+".secret", "make one with `openssl rand -base64 32`, and set it on the server too", "has %d characters: who guesses it is an administrator of the domain", len(secret.text))
	}
	c.Secret = secret
	return c
}
