package httpauth_test

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"xtokend/cmd/xtokend/internal/extauth"
	"xtokend/cmd/xtokend/internal/httpauth"
)

// The servers' own functions write questions as they do: Prosody's mod_auth_http with
// util.http, ejabberd_auth_http with Erlang's uri_string on the bytes of a text, one
// by one.
const (
	prosodys = `package.path = "/usr/lib/prosody/?.lua;" .. package.path
io.write(require "util.http".formencode({ user = io.read("l"), server = io.read("l"), pass = io.read("l") }))`
	ejabberds = `Quoted = fun() -> uri_string:quote(string:trim(io:get_line(""), trailing, "\n")) end,
io:setopts([{encoding, latin1}]),
User = Quoted(), Server = Quoted(), Pass = Quoted(),
io:put_chars(["user=", User, "&server=", Server, "&pass=", Pass]), halt().`
)

func TestQuestionsThatServersWrite(t *testing.T) {
	for name, writer := range map[string]*exec.Cmd{
		"Prosody":  exec.CommandContext(t.Context(), "lua5.4", "-e", prosodys),
		"ejabberd": exec.CommandContext(t.Context(), "erl", "-noshell", "-eval", ejabberds),
	} {
		t.Run(name, func(t *testing.T) {
			user := "jürgen"
			writer.WaitDelay = 10 * time.Second
			writer.Stdin = strings.NewReader(user + "\nexample.org\n" + token + "\n")
			written, err := writer.Output()
			if err != nil {
				t.Fatal(err)
			}
			if name == "ejabberd" {
				// Each byte of the name is taken for a character: nobody beyond ASCII can log
				// in that way. The guide says so.
				user = "jÃ¼rgen"
			}
			want := extauth.Question{Verb: extauth.CheckPassword, User: user, Server: "example.org", Password: token}
			if q, ok := httpauth.Parse(extauth.CheckPassword, string(written)); !ok || q != want {
				t.Errorf("%s read as %+v", written, q)
			}
		})
	}
}
