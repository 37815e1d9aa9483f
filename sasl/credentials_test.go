package sasl_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"xtokend/sasl"
)

func TestParse(t *testing.T) {
	long := strings.Repeat("a", sasl.MaxIdentityBytes)
	for _, tc := range []struct {
		name, payload string
		want          sasl.Credentials
		ok            bool
	}{
		{"usual", "\x00alice\x001 a", sasl.Credentials{Authcid: "alice", Token: "1 a"}, true},
		{"authzid", "a@b\x00alice\x001 a", sasl.Credentials{Authzid: "a@b", Authcid: "alice", Token: "1 a"}, true},
		{"empty token", "\x00alice\x00", sasl.Credentials{Authcid: "alice"}, true},
		{"third NUL", "\x00alice\x001 a\x00b", sasl.Credentials{Authcid: "alice", Token: "1 a\x00b"}, true},
		{"nothing is prepared", "A@B\x00ALICE\x00 T\n", sasl.Credentials{Authzid: "A@B", Authcid: "ALICE", Token: " T\n"}, true},
		{"identities of the limit", long + "\x00" + long + "\x00t", sasl.Credentials{Authzid: long, Authcid: long, Token: "t"}, true},
		{"authzid beyond the limit", long + "a\x00alice\x00t", sasl.Credentials{}, false},
		{"authcid beyond the limit", "\x00" + long + "a\x00t", sasl.Credentials{}, false},
		{"nothing", "", sasl.Credentials{}, false},
		{"no NUL", "alice", sasl.Credentials{}, false},
		{"one NUL", "\x00alice", sasl.Credentials{}, false},
		{"empty authcid", "alice\x00\x00t", sasl.Credentials{}, false},
		{"bad UTF-8", "\x00alice\x00t\x80", sasl.Credentials{}, false},
		{"UTF-8 across a NUL", "\x00alice\xc3\x00\xbct", sasl.Credentials{}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := sasl.Parse([]byte(tc.payload))
			if got != tc.want || (err == nil) != tc.ok || err != nil && !hasCondition(err, sasl.MalformedRequest) {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

func TestDecodeBase64(t *testing.T) {
	for _, tc := range []struct {
		name, text, want string
		ok               bool
	}{
		{"empty", "", "", true},
		{"present and empty", "=", "", true},
		{"one octet", "AA==", "\x00", true},
		{"two octets", "AGE=", "\x00a", true},
		{"three octets", "AGFi", "\x00ab", true},
		{"last of the alphabet", "+/+/", "\xfb\xff\xbf", true},
		{"URL-safe alphabet", "-_-_", "", false},
		{"no padding", "AGE", "", false},
		{"too much padding", "AGE==", "", false},
		{"padding alone", "==", "", false},
		{"four of padding", "====", "", false},
		{"padding in the middle", "AA==AA==", "", false},
		{"empty mark behind data", "AGFi=", "", false},
		{"bits behind the last octet", "AGF=", "", false},
		{"more bits behind the last octet", "AB==", "", false},
		{"line break", "AG\nFi", "", false},
		{"line break at the end", "AGFi\r\n", "", false},
		{"line break alone", "\n", "", false},
		{"empty mark and line break", "=\n", "", false},
		{"space", "AG Fi", "", false},
		{"space before", " AGFi", "", false},
		{"not base64", "?", "", false},
		{"not ASCII", "ÄGFi", "", false},
		{"NUL", "AGF\x00", "", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := sasl.DecodeBase64(tc.text)
			if string(got) != tc.want || (err == nil) != tc.ok || (got == nil) != (err != nil) || err != nil && err != sasl.ErrIncorrectEncoding {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

// FuzzDecodeBase64: what decodes is the one spelling of its data.
func FuzzDecodeBase64(f *testing.F) {
	for _, text := range []string{"", "=", "AGE=", "AGF=", "AG\nE=", "AAAA", " ", "AGFsaWNlADEgYQ=="} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		data, err := sasl.DecodeBase64(text)
		canonical := text == "="
		if reference, refErr := base64.StdEncoding.DecodeString(text); refErr == nil {
			canonical = canonical || base64.StdEncoding.EncodeToString(reference) == text
		}
		if (err == nil) != canonical {
			t.Fatalf("%q: %v, canonical: %v", text, err, canonical)
		}
		if err == nil && text != "=" && base64.StdEncoding.EncodeToString(data) != text {
			t.Errorf("%q decoded as %q", text, data)
		}
	})
}
