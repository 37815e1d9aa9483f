package server_test

import (
	"fmt"
	"sync"
	"testing"

	"mellium.im/xmpp/jid"

	"xtokend/component/server"
	"xtokend/internal/ejabberd"
	"xtokend/internal/ejabberdtest"
)

// ejabberd, as Debian sets it up, shuts an address out for an hour after twenty failed
// attempts with no successful one between them. A program that was started amid a
// change knows nothing of the accounts, and all users come at once.
func TestLoginsAtOnceAfterARestartAmidAChange(t *testing.T) {
	p := ejabberdtest.Start(t, ejabberd.Options{Modules: map[string]any{"mod_fail2ban": map[string]any{}}})
	var users []jid.JID
	for i := range 60 {
		user := jid.MustParse(fmt.Sprintf("user%d@example.org", i))
		if err := p.Register(t.Context(), user.Localpart(), server.Password(newSecret, user)); err != nil {
			t.Fatal(err)
		}
		users = append(users, user)
	}
	s, err := server.New(amidChange(p, nil, nil))
	if err != nil {
		t.Fatal(err)
	}
	var logins sync.WaitGroup
	for _, user := range users {
		logins.Go(func() {
			conn, err := s.Open(t.Context(), user)
			if err != nil {
				t.Errorf("open for %s: %v", user, err)
				return
			}
			conn.Close()
		})
	}
	logins.Wait()
}
