package prosodytest

import (
	"os"
	"path/filepath"
	"testing"
)

// provider stands for mod_auth_token in what is left of it when it is gone: everybody
// has existed, and nobody has an account. Any password is right.
const provider = `local sasl = require "util.sasl"
module:provides("auth", {
	user_exists = function() return true end;
	get_sasl_handler = function()
		return sasl.new(module.host, { plain_test = function() return true, true end })
	end;
})
`

// TokenModules writes modules with the names of those that verify tokens inside
// Prosody, into a new folder for plugin_paths.
func TokenModules(t testing.TB) (folder string) {
	t.Helper()
	folder = t.TempDir()
	for name, text := range map[string]string{"mod_auth_token.lua": provider, "mod_sasl_token.lua": ""} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}
