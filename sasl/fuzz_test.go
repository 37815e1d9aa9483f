package sasl_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"unicode/utf8"

	"xtokend/auth"
	"xtokend/sasl"

	msasl "mellium.im/sasl"
	"xtokend/internal/vectors"
)

func seed(f *testing.F, add func(message []byte)) {
	for _, c := range vectors.Load(f, vectorsFile).Cases {
		add([]byte("\x00" + c.Authcid + "\x00" + c.Token))
		add([]byte(c.Authcid + "@" + c.Domain + "\x00" + c.Authcid + "\x00" + c.Token))
	}
	for _, message := range []string{"", "\x00", "\x00\x00", "\x00\x00\x00", "a\x00b\x00c\x00d", "\xff\x00alice\x00t", "admin@example.org\x00alice\x00" + validToken} {
		add([]byte(message))
	}
}

// FuzzParse: what is parsed is the message, cut at its first two NULs.
func FuzzParse(f *testing.F) {
	seed(f, func(message []byte) { f.Add(message) })
	f.Fuzz(func(t *testing.T, message []byte) {
		c, err := sasl.Parse(message)
		if err != nil {
			if c != (sasl.Credentials{}) || !hasCondition(err, sasl.MalformedRequest) {
				t.Errorf("%+v, %v", c, err)
			}
			return
		}
		if again := c.Authzid + "\x00" + c.Authcid + "\x00" + c.Token; again != string(message) {
			t.Errorf("%q parsed as %q", message, again)
		}
		if !utf8.Valid(message) || c.Authcid == "" || bytes.Count([]byte(c.Authzid+c.Authcid), []byte{0}) > 0 {
			t.Errorf("%q accepted as %+v", message, c)
		}
	})
}

// FuzzServer: whoever is let in has a token that the verifier accepts for that
// very name, and is let in by every mechanism; nobody gets anything but a
// Failure otherwise.
func FuzzServer(f *testing.F) {
	seed(f, func(message []byte) { f.Add(message) })
	f.Fuzz(func(t *testing.T, message []byte) {
		let := 0
		for _, mechanism := range mechanisms {
			var out sasl.Outcome
			server := msasl.NewServer(sasl.Server(context.Background(), mechanism, newSite(t).Verifier, &out), nil)
			more, data, err := server.Step(append([]byte{}, message...))
			if more || data != nil {
				t.Fatalf("more %v, data %q", more, data)
			}
			if err != nil {
				var failure *sasl.Failure
				if !errors.As(err, &failure) || failure.Condition == "" || failure.Text == "" || out != (sasl.Outcome{}) {
					t.Fatalf("%s: %v, %+v", mechanism, err, out)
				}
				continue
			}
			let++
			c, err := sasl.Parse(message)
			if err != nil {
				t.Fatal(err)
			}
			name, err := auth.PrepareName(c.Authcid)
			if err != nil || name != out.Name {
				t.Fatalf("%q let in as %q: %v", c.Authcid, out.Name.Localpart(), err)
			}
			if _, err := newSite(t).Verify(context.Background(), name, c.Token); err != nil {
				t.Fatalf("%q let in by a token that is refused: %v", c.Authcid, err)
			}
		}
		if let != 0 && let != len(mechanisms) {
			t.Errorf("%q let in by %d mechanisms of %d", message, let, len(mechanisms))
		}
	})
}
