package extauth_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"xtokend/cmd/xtokend/internal/extauth"
)

const token = "8524917131415926535897932384626433832795 G9RPwjT6HMjZN3fw8qnhAPvK3Fpfxg+D6EuxKRuRi7w="

func TestParse(t *testing.T) {
	long := strings.Repeat("x", extauth.MaxQuestionBytes-len("auth:a:b:"))
	for _, tc := range []struct {
		name, text string
		want       extauth.Question
		ok         bool
	}{
		{"a token", "auth:alice:example.org:" + token, extauth.Question{Verb: extauth.CheckPassword, User: "alice", Server: "example.org", Password: token}, true},
		{"colons in the password", "auth:alice:example.org:a:b:", extauth.Question{Verb: extauth.CheckPassword, User: "alice", Server: "example.org", Password: "a:b:"}, true},
		{"an empty password", "auth:alice:example.org:", extauth.Question{Verb: extauth.CheckPassword, User: "alice", Server: "example.org"}, true},
		{"the longest password", "auth:a:b:" + long, extauth.Question{Verb: extauth.CheckPassword, User: "a", Server: "b", Password: long}, true},
		{"beyond the longest", "auth:a:b:" + long + "x", extauth.Question{}, false},
		{"existence", "isuser:jürgen:example.org", extauth.Question{Verb: extauth.UserExists, User: "jürgen", Server: "example.org"}, true},
		{"no password", "auth:alice:example.org", extauth.Question{}, false},
		{"no server", "auth:alice::x", extauth.Question{}, false},
		{"no user", "auth::example.org:x", extauth.Question{}, false},
		{"existence of nobody", "isuser::example.org", extauth.Question{}, false},
		{"existence nowhere", "isuser:alice:", extauth.Question{}, false},
		{"existence with more", "isuser:alice:example.org:x", extauth.Question{}, false},
		{"a new password", "setpass:alice:example.org:x", extauth.Question{}, false},
		{"a new account", "tryregister:alice:example.org:x", extauth.Question{}, false},
		{"an account less", "removeuser:alice:example.org", extauth.Question{}, false},
		{"an account less, with password", "removeuser3:alice:example.org:x", extauth.Question{}, false},
		{"a certificate", "certauth:alice:example.org:x", extauth.Question{}, false},
		{"a verb in capitals", "AUTH:alice:example.org:x", extauth.Question{}, false},
		{"a verb alone", "auth", extauth.Question{}, false},
		{"nothing", "", extauth.Question{}, false},
		{"bad UTF-8", "auth:alice\xff:example.org:x", extauth.Question{}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, ok := extauth.Parse(tc.text)
			if ok != tc.ok || ok && got != tc.want {
				t.Errorf("%+v %v, want %+v %v", got, ok, tc.want, tc.ok)
			}
		})
	}
}

// FuzzParse: what is taken is the text, cut at its first colons, and nothing else.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"auth:alice:example.org:" + token, "isuser:alice:example.org", "setpass:a:b:c", "auth:a:b:c:d", "isuser:a:b:c", ":::", ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		q, ok := extauth.Parse(text)
		if !ok {
			return
		}
		again := "auth:" + q.User + ":" + q.Server + ":" + q.Password
		if q.Verb == extauth.UserExists {
			again = "isuser:" + q.User + ":" + q.Server
		}
		if again != text || q.User == "" || q.Server == "" || strings.ContainsAny(q.User+q.Server, ":") || !utf8.ValidString(text) {
			t.Errorf("%q taken as %+v", text, q)
		}
	})
}
