package link_test

import (
	"slices"
	"testing"

	"xtokend/internal/ejabberd"
	"xtokend/internal/ejabberdtest"
)

func TestAccountsOfEjabberd(t *testing.T) {
	p := ejabberdtest.Start(t, ejabberd.Options{})
	l := linkTo(t, p)
	changeAccounts(t, p, l)

	for _, localpart := range []string{"bob", "jürgen"} {
		if err := p.Register(t.Context(), localpart, "secret"); err != nil {
			t.Fatal(err)
		}
	}
	users, err := l.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, user := range users {
		names = append(names, user.String())
	}
	slices.Sort(names)
	if want := []string{"bob@example.org", "jürgen@example.org"}; !slices.Equal(names, want) {
		t.Errorf("the accounts are %q, not %q", names, want)
	}
}

func TestEjabberdRefuses(t *testing.T) {
	for _, tt := range []struct {
		name    string
		options ejabberd.Options
		want    string
	}{
		{"no administrator", ejabberd.Options{NotAdmin: true}, "acl: admin: {server: xtoken.example.org}"},
		{"no commands", ejabberd.Options{Modules: map[string]any{"mod_configure": nil}}, "mod_adhoc and mod_configure"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			addsNothing(t, ejabberdtest.Start(t, tt.options), tt.want)
		})
	}
}

func TestEjabberdRefusesTheSecret(t *testing.T) {
	p := ejabberdtest.Start(t, ejabberd.Options{})
	says(t, run(t, p.Component, "wrong", nil).trouble(t), "refuses the component secret")
}
