package e2e

import "testing"

func TestTokensOfAnIssuerWithANaiveClockAreAcceptedAsConfigured(t *testing.T) {
	onEachServer(t, func(t *testing.T, behind upstream) {
		for _, zone := range []string{"UTC", "Europe/Amsterdam", "America/New_York", "Asia/Kolkata"} {
			t.Run(zone, func(t *testing.T) {
				s := newSiteOn(t, behind, func(s *site) { s.IssuerTimezone = zone })
				naive := newIssuer(t, s.Installation, zone)
				s.forbid(naive.secrets)
				token := naive.issue(request{Authcid: "alice", Domain: domain, Naive: true})
				s.mustLogIn("alice", token)
				s.mustRefuse("alice", token, "not-authorized")
				// An issuer that has been mended goes on working.
				s.mustLogIn("alice", naive.issue(request{Authcid: "alice", Domain: domain}))
			})
		}
	})
}

func TestTokensOfAnIssuerWithANaiveClockAreExpiredWhereItsZoneIsNotConfigured(t *testing.T) {
	onEachServer(t, func(t *testing.T, behind upstream) {
		s := newSiteOn(t, behind, nil)
		for _, zone := range []string{"Europe/Amsterdam", "America/New_York", "Asia/Kolkata"} {
			t.Run(zone, func(t *testing.T) {
				naive := newIssuer(t, s.Installation, zone)
				s.forbid(naive.secrets)
				s.mustRefuse("alice", naive.issue(request{Authcid: "alice", Domain: domain, Naive: true}), "credentials-expired")
			})
		}
	})
}
