package config_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"xtokend/cmd/xtokend/internal/config"
)

func TestAdmins(t *testing.T) {
	cfg, err := config.Load(write(t, edit(t, good, `name =`, "admins = ['Ops@Example.org', 'ops@example.com', 'zoë@bücher.example']\nname =")), everything())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range cfg.Domains[0].Admins {
		got = append(got, a.String())
	}
	if diff := cmp.Diff([]string{"ops@example.org", "ops@example.com", "zoë@bücher.example"}, got); diff != "" || len(cfg.Warnings) > 0 {
		t.Error(diff, cfg.Warnings)
	}
}

func TestAdminsThatAreNone(t *testing.T) {
	for _, tt := range []struct{ name, admins, key, text string }{
		{"a domain", "'example.org'", "domain[0].admins[0]", "is missing"},
		{"a resource", "'ops@example.org', 'ops@example.com/desk'", "domain[0].admins[1]", "has a resource"},
		{"nothing", "''", "domain[0].admins[0]", "is not the address of a user"},
		{"a name that servers read as another", "'strauß@example.org'", "domain[0].admins[0]", "is not the address of a user"},
		{"a domain that is none", "'ops@'", "domain[0].admins[0]", "is not the address of a user"},
		{"twice", "'ops@example.org', 'OPS@example.org'", "domain[0].admins[1]", "listed already"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := config.Load(write(t, edit(t, good, `name =`, "admins = ["+tt.admins+"]\nname =")), everything())
			faults := faultsOf(t, err)
			if len(faults) != 1 || faults[0].Key != tt.key || !strings.Contains(faults[0].Text, tt.text) {
				t.Errorf("got %v, want one of %s with %q", faults, tt.key, tt.text)
			}
		})
	}
}

func TestAdminsWithoutComponentLink(t *testing.T) {
	component := "[domain.component]\nname = \"xtoken.example.org\"\nsecret = \"" + linkSecret + "\"\n"
	for _, tt := range []struct {
		name string
		edit []string
	}{
		{"none", []string{component, "", "account_secret", "accounts = 'existing'\naccount_secret"}},
		{"unused", []string{"account_secret", "accounts = 'existing'\naccount_secret"}},
		{"the host", []string{component, "", "[domain.server]\naddresses = [\"127.0.0.1:5322\"]\naccount_secret = \"" + accountSecret + "\"", "[domain.host]\npath = 'h.db'"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := edit(t, edit(t, good, tt.edit...), `name =`, "admins = ['ops@example.org']\nname =")
			if tt.name == "the host" {
				text = edit(t, text, `name =`, "upstream = 'host'\nname =")
			}
			cfg, err := config.Load(write(t, text), everything())
			if err != nil {
				t.Fatal(err)
			}
			wantWarning(t, cfg.Warnings, "domain[0].admins", "no component link")
		})
	}
}
