package main

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"xtokend/cmd/xtokend/internal/admin"
)

// Who stays logged in at a domain that is taken out can still be thrown out.
func TestRevokeAtADomainThatIsTakenOut(t *testing.T) {
	xmpp, dir := freeAddress(t), t.TempDir()
	socket := filepath.Join(dir, "s")
	settings := func(domains string) string {
		return listenTo("xmpp://"+xmpp) + "admin = 'unix:" + socket + "'\n" + domains + memoryStore
	}
	org, net := hostDomain("example.org", "", vectorSeed, vectorSecret), hostDomain("example.net", "", vectorSeed, vectorSecret)
	r := startReloaded(t, dir, settings(org+net))
	stays := r.mustLogIn(xmpp, "example.org", vectorSeed, vectorSecret)
	gone := r.mustLogIn(xmpp, "example.net", vectorSeed, vectorSecret)
	r.goesOn(stays, "example.org")
	r.goesOn(gone, "example.net")
	r.reload(settings(org), reloadDone)

	client := admin.NewClient(socket)
	defer client.Close()
	refused := func(said string, usage bool) {
		t.Helper()
		_, err := client.Revoke(t.Context(), "alice@example.net")
		var refusal *admin.Error
		if !errors.As(err, &refusal) || !strings.Contains(refusal.Text, said) || refusal.Usage != usage || refusal.Hint == "" {
			t.Errorf("revoking: %v, want %q", err, said)
		}
	}
	refused("the tokens of alice@example.net are not revoked; sessions ended here: 1", false)
	if got := until(gone, "</stream:stream>"); !strings.Contains(got, "<reset ") {
		t.Errorf("the session ends with %q", got)
	}
	gone.Close()
	for len(sessions(t, client)) > 1 { // until it has ended
	}
	refused("example.net is not served here", true)
	if all := sessions(t, client); len(all) != 1 || all[0].User != "alice@example.org" {
		t.Errorf("left: %+v", all)
	}
}

func sessions(t *testing.T, client *admin.Client) []admin.Session {
	t.Helper()
	all, err := client.Sessions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return all
}
