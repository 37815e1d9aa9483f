package server

import (
	"context"
	"errors"
	"fmt"

	"mellium.im/xmpp/jid"

	"xtokend/internal/element"
)

// Registration makes accounts by in-band registration (XEP-0077 §3.1), over a
// connection of its own. It cannot change a password. It implements [Accounts].
type Registration struct{ dialer *dialer }

var _ Accounts = (*Registration)(nil)

// NewRegistration takes the same settings as [New], of which Domain, Addresses,
// TLS, TLSConfig and SendProxy are used.
func NewRegistration(c Config) (*Registration, error) {
	d, err := newDialer(c)
	if err != nil {
		return nil, err
	}
	return &Registration{dialer: d}, nil
}

// Add implements [Accounts].
func (r *Registration) Add(ctx context.Context, user jid.JID, password string) error {
	return r.dialer.withStream(ctx, user, func(st *stream) error {
		if err := st.register(user, password); err != nil {
			return fmt.Errorf("registration: %w", err)
		}
		return nil
	})
}

// SetPassword implements [Accounts]. It always fails.
func (r *Registration) SetPassword(context.Context, jid.JID, string) error {
	return errors.New("in-band registration cannot set the password of an account that exists: use accounts = \"component\" for takeovers")
}

func (st *stream) register(user jid.JID, password string) error {
	if _, ok := st.features.Child(nsFeature, "register"); !ok {
		return errors.New("the server does not offer it to this address (on Prosody: register_ibr, allow_registration and registration_allowlist)")
	}
	id := newNonce()
	err := st.send("<iq type='set' id='" + id + "' to='" + element.Escape(st.domain.String()) + "'><query xmlns='" + nsRegister +
		"'><username>" + element.Escape(user.Localpart()) + "</username><password>" + element.Escape(password) + "</password></query></iq>")
	if err != nil {
		return err
	}
	answer, err := st.expect(nsClient, "iq")
	if err != nil {
		return err
	}
	if answer.AttrValue("id") != id {
		return errors.New("the answer is to another request")
	}
	if answer.AttrValue("type") == "result" {
		return nil
	}
	e, _ := answer.Child(nsClient, "error")
	if condition(e, nsStanzas) == "conflict" {
		return ErrAccountExists
	}
	return fmt.Errorf("refused: %s", describe(e, nsStanzas))
}
