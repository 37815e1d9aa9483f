package link_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"xtokend/component/link"
	"xtokend/component/server"
	"xtokend/internal/prosody"
	"xtokend/internal/prosodytest"
	"xtokend/internal/stockserver"
	"xtokend/internal/stockserver/stockservertest"
)

func TestAccounts(t *testing.T) {
	p := prosodytest.Start(t, prosody.Options{})
	l := linkTo(t, p)
	changeAccounts(t, p, l)
	if _, err := l.List(t.Context()); !errors.Is(err, link.ErrListUnsupported) {
		t.Errorf("list: error %v, want %v", err, link.ErrListUnsupported)
	}
}

// changeAccounts does all that can be done to an account, and leaves none.
func changeAccounts(t *testing.T, p *stockserver.Server, l *running) {
	t.Helper()
	for _, step := range []struct {
		name string
		do   func() error
		want error
		has  bool
	}{
		{"set the password of nobody", func() error { return l.SetPassword(t.Context(), alice, "x") }, link.ErrNoAccount, false},
		{"remove nobody", func() error { return l.Remove(t.Context(), alice) }, link.ErrNoAccount, false},
		{"add", func() error { return l.Add(t.Context(), alice, "one") }, nil, true},
		{"count the resources", func() error {
			n, err := l.Resources(t.Context(), alice)
			if n != 0 {
				t.Errorf("%d resources of somebody who is not online", n)
			}
			return err
		}, nil, true},
		{"add again", func() error { return l.Add(t.Context(), alice, "two") }, server.ErrAccountExists, true},
		{"set the password", func() error { return l.SetPassword(t.Context(), alice, "a <b> & 'c'") }, nil, true},
		{"remove", func() error { return l.Remove(t.Context(), alice) }, nil, false},
		{"remove again", func() error { return l.Remove(t.Context(), alice) }, link.ErrNoAccount, false},
	} {
		if err := step.do(); !errors.Is(err, step.want) {
			t.Errorf("%s: error %v, want %v", step.name, err, step.want)
		}
		if has := stockservertest.HasAccount(t, p, "alice"); has != step.has {
			t.Errorf("%s: account exists: %t", step.name, has)
		}
	}
}

// addsNothing fails the test unless p refuses to make an account, and the error says
// what to do about it.
func addsNothing(t *testing.T, p *stockserver.Server, remedy string) {
	t.Helper()
	l := linkTo(t, p)
	says(t, l.Add(t.Context(), alice, "one"), remedy)
	if stockservertest.HasAccount(t, p, "alice") {
		t.Error("the account was made")
	}
}

func TestProsodyRefuses(t *testing.T) {
	for _, tt := range []struct {
		name    string
		options prosody.Options
		want    string
	}{
		{"no administrator", prosody.Options{NotAdmin: true}, `admins = { "xtoken.example.org" }`},
		{"no commands", prosody.Options{HostLines: `modules_disabled = { "admin_adhoc" }`}, "enable admin_adhoc"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			addsNothing(t, prosodytest.Start(t, tt.options), tt.want)
		})
	}
}

func TestConnectRefused(t *testing.T) {
	p := prosodytest.Start(t, prosody.Options{})
	for _, tt := range []struct {
		name, secret, component, want string
	}{
		{"wrong secret", "wrong", "xtoken.example.org", "refuses the component secret"},
		{"unknown name", p.ComponentSecret, "other.example.org", "no component other.example.org"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := run(t, p.Component, tt.secret, func(c *link.Config) { c.Name = tt.component })
			says(t, r.trouble(t), tt.want)
			says(t, errors.New(r.log.String()), tt.want)
			if err := r.Add(t.Context(), alice, "one"); !errors.Is(err, link.ErrDown) {
				t.Errorf("add: %v", err)
			}
		})
	}
}

func TestNameIsTaken(t *testing.T) {
	p := prosodytest.Start(t, prosody.Options{})
	first := linkTo(t, p)
	second := run(t, p.Component, p.ComponentSecret, nil)
	says(t, second.trouble(t), "each node needs a name of its own")
	if err := first.Add(t.Context(), alice, "one"); err != nil {
		t.Errorf("the first link: %v", err)
	}
	first.stop()
	second.again <- time.Time{}
	second.up(t)
}

func TestReconnect(t *testing.T) {
	p := prosodytest.Start(t, prosody.Options{})
	l := linkTo(t, p)
	for _, end := range []struct {
		name string
		do   func() error
	}{
		{"stopped", func() error { return p.Stop(t.Context()) }},
		{"killed", p.Kill},
	} {
		if err := end.do(); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %v", end.name, l.trouble(t))
		if err := l.Add(t.Context(), alice, "one"); !errors.Is(err, link.ErrDown) {
			t.Errorf("%s: add: %v, want %v", end.name, err, link.ErrDown)
		}
		l.again <- time.Time{} // while the server is still down
		says(t, l.trouble(t), p.Component)
		if err := p.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		l.again <- time.Time{}
		l.up(t)
		if err := l.Add(t.Context(), alice, "one"); err != nil {
			t.Errorf("%s: add after the restart: %v", end.name, err)
		}
		if err := l.Remove(t.Context(), alice); err != nil {
			t.Errorf("%s: remove after the restart: %v", end.name, err)
		}
	}
}

func TestFrozenServerIsBoundedByContext(t *testing.T) {
	p := prosodytest.Start(t, prosody.Options{})
	l := linkTo(t, p)
	if err := p.Freeze(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := l.Add(ctx, alice, "one"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("add: %v", err)
	}
	if err := p.Thaw(); err != nil {
		t.Fatal(err)
	}
	// Whether the request that was given up was heard is unknown; an answer to
	// it is nobody's.
	if err := l.Add(t.Context(), alice, "one"); err != nil && !errors.Is(err, server.ErrAccountExists) {
		t.Errorf("add: %v", err)
	}
	if !stockservertest.HasAccount(t, p, "alice") {
		t.Error("no account was made")
	}
}
