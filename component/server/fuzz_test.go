package server

import (
	"bytes"
	"encoding/base64"
	"errors"
	"net"
	"strings"
	"testing"

	"mellium.im/xmpp/jid"

	"xtokend/component/upstream"
)

// deaf is a connection that gives what it holds and takes everything.
type deaf struct {
	net.Conn
	r *bytes.Reader
}

func (d deaf) Read(p []byte) (int, error)  { return d.r.Read(p) }
func (d deaf) Write(p []byte) (int, error) { return len(p), nil }

// FuzzLogin plays a server that says anything. Whoever does not answer our
// nonce never gets a login accepted, and no account is touched unless it says
// not-authorized.
func FuzzLogin(f *testing.F) {
	const (
		header   = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' from='example.org' id='x' version='1.0'>"
		features = "<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>SCRAM-SHA-256</mechanism></mechanisms><register xmlns='http://jabber.org/features/iq-register'/></stream:features>"
		sasl     = " xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>"
	)
	first := base64.StdEncoding.EncodeToString([]byte("r=x,s=c2FsdA==,i=4096"))
	for _, rest := range []string{
		"<challenge" + sasl + first + "</challenge>",
		"<challenge" + sasl + "=</challenge>",
		"<success" + sasl + "dj1BQUFB</success>",
		"<success" + sasl + "</success><stream:features/>",
		"<failure" + sasl + "<not-authorized/></failure>",
		"<failure" + sasl + "<account-disabled/><text>x</text></failure>",
		"<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>",
		"<iq type='result' id='x'/>",
		"<iq type='error' id='x'><error type='cancel'><conflict xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>",
	} {
		f.Add([]byte(header + features + rest))
	}
	f.Add([]byte(header + "<stream:features/>"))
	f.Add([]byte("<stream:stream/>"))
	user := jid.MustParse("alice@example.org")
	f.Fuzz(func(t *testing.T, said []byte) {
		for _, use := range []func(*stream) error{
			func(st *stream) error { return st.authenticate(t.Context(), newKeys(1), user, "password") },
			func(st *stream) error { return st.register(user, "password") },
		} {
			st := newStream(deaf{r: bytes.NewReader(said)}, user.Domain(), user)
			err := st.open(true)
			if err == nil {
				err = use(st)
			}
			if err == nil {
				t.Fatalf("accepted %q", said)
			}
			var refusal *upstream.Refusal
			if (errors.Is(err, errNotAuthorized) || errors.As(err, &refusal)) && !bytes.Contains(said, []byte("failure")) {
				t.Fatalf("%q is taken for the refusal %v", said, err)
			}
			if strings.Contains(err.Error(), "password") && !bytes.Contains(said, []byte("password")) && !strings.Contains(err.Error(), "the password") {
				t.Fatalf("error %q may hold a secret", err)
			}
		}
	})
}

// FuzzKeyFactors: what is accepted lies within the bounds.
func FuzzKeyFactors(f *testing.F) {
	for _, seed := range []string{"r=x,s=c2FsdA==,i=4096", "r=x,s=c2FsdA==,i=1000001", "r=,s=,i=", "m=x,r=x,s=c2FsdA==,i=4096", "r=x,s=c2FsdA==,i=4096,x=y", "r=x,s=c2F\nsdA==,i=+4096", ",,"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, message string) {
		factors, err := keyFactors(message)
		if err != nil {
			return
		}
		if len(factors.Salt) == 0 || len(factors.Salt) > maxSaltBytes || factors.Iters < minIterations || factors.Iters > maxIterations {
			t.Fatalf("%q gives %d bytes of salt and %d iterations", message, len(factors.Salt), factors.Iters)
		}
	})
}
