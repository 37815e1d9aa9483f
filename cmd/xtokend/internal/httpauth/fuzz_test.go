package httpauth_test

import (
	"net/url"
	"strings"
	"testing"

	"xtokend/cmd/xtokend/internal/extauth"
	"xtokend/cmd/xtokend/internal/httpauth"
)

// FuzzParse: what is taken says the same when it is written again, and no field has a
// second value that another reader could take in its place.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"", "user=alice&server=example.org&pass=" + url.QueryEscape(token), "user=alice&server=example.org", "user=a&user=b&server=c&pass=d",
		"user=%ff&server=b&pass=c", "user=a;server=b", "user=a+b&server=%&pass=", "pass=x&server=b&user=a&more=y",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, verb := range []extauth.Verb{extauth.CheckPassword, extauth.UserExists} {
			q, ok := httpauth.Parse(verb, text)
			if !ok {
				if q != (extauth.Question{}) {
					t.Errorf("refused, and %+v", q)
				}
				continue
			}
			form := url.Values{"user": {q.User}, "server": {q.Server}}
			if verb == extauth.CheckPassword {
				form.Set("pass", q.Password)
			} else if q.Password != "" {
				t.Errorf("a password that was not needed: %+v", q)
			}
			again, ok := httpauth.Parse(verb, form.Encode())
			if !ok || again != q {
				t.Errorf("%q taken as %+v, and again as %+v", text, q, again)
			}
			names := 0
			for pair := range strings.SplitSeq(text, "&") {
				name, _, _ := strings.Cut(pair, "=")
				if name, err := url.QueryUnescape(name); err == nil && name == "user" {
					names++
				}
			}
			if names != 1 || q.User == "" || q.Server == "" {
				t.Errorf("%q, with %d users, taken as %+v", text, names, q)
			}
		}
	})
}
