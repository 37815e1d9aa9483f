package server_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/xdg-go/scram"
	"mellium.im/xmpp/jid"

	"xtokend/component/server"
	"xtokend/component/upstream"
	"xtokend/internal/peertest"
	"xtokend/sasl"
)

const (
	serverHeader = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' from='example.org' id='x1' version='1.0'>"
	saslNS       = "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'"
	sha1Features = "<stream:features><mechanisms " + saslNS + "><mechanism>PLAIN</mechanism><mechanism>SCRAM-SHA-1</mechanism></mechanisms></stream:features>"
)

const streamError = "<stream:error><policy-violation xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>" +
	"<text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>slow down</text></stream:error></stream:stream>"

// exchange is what a server's side of SCRAM-SHA-1 looks like in one login. The
// zero value is a good server's.
type exchange struct {
	features   string
	password   string
	iterations int
	salt       string
	first      func(string) string // bends server-first-message
	element    func(string) string // bends the challenge element
	final      func(string) string // bends server-final-message
	success    func(string) string // bends the success element
	early      string              // sent in place of an answer to <auth/>
	late       string              // sent in place of an answer to <response/>
}

// play plays one login as x says.
func (x exchange) play(p *peertest.Peer) {
	same := func(text string) string { return text }
	for _, f := range []*func(string) string{&x.first, &x.element, &x.final, &x.success} {
		if *f == nil {
			*f = same
		}
	}
	if x.password == "" {
		x.password = server.Password(secret, alice)
	}
	if x.iterations == 0 {
		x.iterations = 4096
	}
	if x.salt == "" {
		x.salt = "0123456789abcdef"
	}
	if x.features == "" {
		x.features = sha1Features
	}
	client, err := scram.SHA1.NewClientUnprepped("alice", x.password, "")
	if err != nil {
		p.T.Error(err)
		return
	}
	client.WithMinIterations(1)
	lookup := func(string) (scram.StoredCredentials, error) {
		return client.GetStoredCredentialsWithError(scram.KeyFactors{Salt: x.salt, Iters: x.iterations})
	}
	peer, err := scram.SHA1.NewServer(lookup)
	if err != nil {
		p.T.Error(err)
		return
	}
	conversation := peer.NewConversation()

	p.Expect(`<stream:stream [^>]*>`)
	p.Send(serverHeader + x.features)
	initialResponse := p.Expect(`<auth [^>]*mechanism='SCRAM-SHA-1'>([^<]*)</auth>`)
	if x.early != "" {
		p.Send(x.early)
		p.Rest()
		return
	}
	first, err := conversation.Step(unbase64(p.T, initialResponse))
	if err != nil {
		p.T.Errorf("script: %v", err)
	}
	p.Send(x.element(element("challenge", x.first(first))))
	response := p.Until(`<response [^>]*>([^<]*)</response>`)
	if response == nil {
		return // the client did not take the challenge
	}
	if x.late != "" {
		p.Send(x.late)
		p.Rest()
		return
	}
	final, err := conversation.Step(unbase64(p.T, response[1]))
	if err != nil {
		p.Send("<failure " + saslNS + "><not-authorized/></failure>")
		return
	}
	p.Send(x.success(element("success", x.final(final))))
	p.Rest()
}

func element(name, data string) string {
	return fmt.Sprintf("<%s %s>%s</%s>", name, saslNS, base64.StdEncoding.EncodeToString([]byte(data)), name)
}

func unbase64(t *testing.T, s string) string {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		t.Errorf("script: %v", err)
	}
	return string(b)
}

// never is an Accounts that must not be asked.
type never struct{ t *testing.T }

func (n never) Add(context.Context, jid.JID, string) error {
	n.t.Error("an account was added")
	return errors.New("not here")
}

func (n never) SetPassword(context.Context, jid.JID, string) error {
	n.t.Error("a password was set")
	return errors.New("not here")
}

func scriptedServer(t *testing.T, address string) *server.Server {
	t.Helper()
	s, err := server.New(server.Config{
		Domain: "example.org", Addresses: []string{address}, AccountSecret: secret, Accounts: never{t}, Takeover: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestGoodServers(t *testing.T) {
	const features = "<stream:features></stream:features>"
	for _, tt := range []struct {
		name string
		x    exchange
	}{
		{"proof with success", exchange{}},
		{"fewest iterations", exchange{iterations: 4096}},
		{"many iterations", exchange{iterations: 600_000}},
		{"longest salt", exchange{salt: strings.Repeat("s", 256)}},
		{"proof in a challenge of its own", exchange{success: func(e string) string {
			return strings.ReplaceAll(e, "success", "challenge") + "<success " + saslNS + "/>"
		}}},
		{"success with empty data after a proof", exchange{success: func(e string) string {
			return strings.ReplaceAll(e, "success", "challenge") + "<success " + saslNS + ">=</success>"
		}}},
		{"longest features", exchange{features: strings.Replace(features, "><", "><mechanisms "+saslNS+"><mechanism>SCRAM-SHA-1</mechanism></mechanisms><x>"+
			strings.Repeat("x", 64<<10-len(features)-len("<mechanisms "+saslNS+"><mechanism>SCRAM-SHA-1</mechanism></mechanisms><x></x>"))+"</x><", 1)}},
		{"whitespace between elements", exchange{element: func(e string) string { return " \n" + e + " " }}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := scriptedServer(t, peertest.Serve(t, tt.x.play))
			conn, err := s.Open(t.Context(), alice)
			if err != nil {
				t.Fatal(err)
			}
			conn.Close()
		})
	}
}

func TestBadServers(t *testing.T) {
	add := func(text string) func(string) string { return func(e string) string { return e + text } }
	replace := func(pattern, by string) func(string) string {
		return func(e string) string { return regexp.MustCompile(pattern).ReplaceAllString(e, by) }
	}
	for _, tt := range []struct {
		name string
		x    exchange
		want string
	}{
		{"does not know the password", exchange{final: func(string) string { return "v=" + base64.StdEncoding.EncodeToString([]byte("01234567890123456789")) }}, "does not know the password"},
		{"success without proof", exchange{final: func(string) string { return "" }}, "not proved"},
		{"success without exchange", exchange{early: "<success " + saslNS + "/>"}, "not proved"},
		{"success with a proof of nothing", exchange{early: element("success", "v=AAAA")}, "not proved"},
		{"success without looking at the response", exchange{late: "<success " + saslNS + "/>"}, "not proved"},
		{"error in place of proof", exchange{final: func(string) string { return "e=other-error" }}, "other-error"},
		{"proof and text behind success", exchange{success: add("<stream:features/>")}, "bytes behind"},
		{"whitespace behind success", exchange{success: add(" ")}, "bytes behind"},
		{"too few iterations", exchange{iterations: 4095}, `"4095" iterations`},
		{"no iterations", exchange{first: replace(`i=\d+`, "i=0")}, `"0" iterations`},
		{"negative iterations", exchange{first: replace(`i=\d+`, "i=-4096")}, `"-4096" iterations`},
		{"too many iterations", exchange{first: replace(`i=\d+`, "i=1000001")}, `"1000001" iterations`},
		{"iterations beyond an integer", exchange{first: replace(`i=\d+`, "i=99999999999999999999999")}, "iterations"},
		{"no salt", exchange{first: replace(`s=[^,]*`, "s=")}, "salt"},
		{"salt too long", exchange{salt: strings.Repeat("s", 257)}, "salt"},
		{"salt not base64", exchange{first: replace(`s=[^,]*`, "s=*")}, "salt"},
		{"other nonce", exchange{first: replace(`r=`, "r=x")}, "nonce"},
		{"mandatory extension", exchange{first: func(m string) string { return "m=x," + m }}, "no nonce"},
		{"empty challenge", exchange{first: func(string) string { return "" }}, "no nonce"},
		{"challenge not base64", exchange{element: func(string) string { return "<challenge " + saslNS + ">*</challenge>" }}, "base64"},
		{"the same challenge again", exchange{success: func(string) string { return element("challenge", "r=x,s=eA==,i=4096") }}, "error"},
		{"challenges without end", exchange{success: func(e string) string {
			return strings.Repeat(strings.ReplaceAll(e, "success", "challenge"), 3)
		}}, "already completed"},
		{"element of another namespace", exchange{early: "<success xmlns='x'/>"}, "unexpected <success/>"},
		{"unknown SASL element", exchange{early: "<proceed " + saslNS + "/>"}, "unexpected <proceed/>"},
		{"unknown failure", exchange{early: "<failure " + saslNS + "><bad-luck/></failure>"}, "bad-luck"},
		{"failure without condition", exchange{early: "<failure " + saslNS + "/>"}, "without a condition"},
		{"failure of another namespace", exchange{early: "<failure " + saslNS + "><account-disabled xmlns='x'/></failure>"}, "without a condition"},
		{"stream error", exchange{early: streamError}, `policy-violation ("slow down")`},
		{"end of stream", exchange{late: "</stream:stream>"}, "closed the stream"},
		{"broken XML", exchange{early: "<success></failure>"}, "well-formed"},
		{"DTD", exchange{early: "<!DOCTYPE x []>"}, "restricted"},
		{"comment", exchange{early: "<!-- x -->"}, "restricted"},
		{"text", exchange{early: "hello"}, ""},
		{"bad UTF-8", exchange{early: "<failure " + saslNS + "><text>\xff</text></failure>"}, "well-formed"},
		{"giant element", exchange{early: "<challenge " + saslNS + ">" + strings.Repeat("a", 64<<10)}, "long"},
		{"deep element", exchange{early: strings.Repeat("<a>", 17)}, "deep"},
		{"endless whitespace", exchange{early: strings.Repeat(" ", 64<<10+1)}, "long"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			address := peertest.Serve(t, tt.x.play)
			s := scriptedServer(t, address)
			if err := fails(t, t.Context(), s, alice, tt.want); err != nil {
				for _, not := range []string{server.Password(secret, alice), "0123456789abcdef"} {
					if strings.Contains(err.Error(), not) {
						t.Errorf("error %q holds a secret", err)
					}
				}
				if !strings.Contains(err.Error(), address) {
					t.Errorf("error %q does not name %s", err, address)
				}
			}
		})
	}
}

func TestServersOwnRefusals(t *testing.T) {
	for _, condition := range []sasl.Condition{
		sasl.Aborted, sasl.AccountDisabled, sasl.CredentialsExpired, sasl.EncryptionRequired, sasl.IncorrectEncoding, sasl.InvalidAuthzid,
		sasl.InvalidMechanism, sasl.MalformedRequest, sasl.MechanismTooWeak, sasl.TemporaryAuthFailure,
	} {
		failure := "<failure " + saslNS + "><" + string(condition) + "/><text xml:lang='en'>because</text></failure>"
		for _, x := range []exchange{{early: failure}, {late: failure}} {
			s := scriptedServer(t, peertest.Serve(t, x.play))
			_, err := s.Open(t.Context(), alice)
			var r *upstream.Refusal
			reason := "server-refuses"
			if condition == sasl.AccountDisabled {
				reason = "account-disabled"
			}
			if !errors.As(err, &r) || r.Condition != condition || r.Reason != reason {
				t.Errorf("%s: error %v", condition, err)
			} else if !strings.Contains(err.Error(), "because") {
				t.Errorf("%s: error %q does not say why", condition, err)
			}
		}
	}
}

func TestBeforeSASL(t *testing.T) {
	header := func(text string) func(*peertest.Peer) {
		return func(p *peertest.Peer) { p.Expect(`<stream:stream [^>]*>`); p.Send(text); p.Rest() }
	}
	for _, tt := range []struct {
		name string
		mode server.TLSMode
		play func(*peertest.Peer)
		want string
	}{
		{"end at once", server.TLSNone, func(p *peertest.Peer) { p.Expect(">") }, "closed the connection"},
		{"HTTP", server.TLSNone, header("HTTP/1.1 400 Bad Request\r\n\r\n"), "stream header: "},
		{"component port", server.TLSNone, header(strings.Replace(serverHeader, "jabber:client", "jabber:component:accept", 1)), "no stream for clients"},
		{"no stream", server.TLSNone, header("<html>"), "no stream for clients"},
		{"giant header", server.TLSNone, header("<stream:stream a='" + strings.Repeat("a", 64<<10)), "long"},
		{"no features", server.TLSNone, header(serverHeader + "<iq/>"), "expected <features/>"},
		{"stream error in place of features", server.TLSNone, header(serverHeader + streamError), "policy-violation"},
		{"no mechanisms", server.TLSNone, header(serverHeader + "<stream:features/>"), "no mechanism"},
		{"PLAIN alone", server.TLSNone, func(p *peertest.Peer) {
			p.Expect(`<stream:stream [^>]*>`)
			p.Send(serverHeader + "<stream:features><mechanisms " + saslNS + "><mechanism>PLAIN</mechanism><mechanism>SCRAM-SHA-1-PLUS</mechanism></mechanisms></stream:features>")
			if rest := p.Rest(); rest != "" {
				p.T.Errorf("the client went on with %q", rest)
			}
		}, "neither SCRAM-SHA-256 nor SCRAM-SHA-1"},
		{"STARTTLS not offered", server.StartTLS, func(p *peertest.Peer) {
			p.Expect(`<stream:stream [^>]*>`)
			p.Send(serverHeader + sha1Features)
			if rest := p.Rest(); rest != "" {
				p.T.Errorf("the client went on with %q", rest)
			}
		}, "does not offer it"},
		{"STARTTLS refused", server.StartTLS, func(p *peertest.Peer) { startTLS(p, "<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>") }, "expected <proceed/>"},
		{"bytes before the handshake", server.StartTLS, func(p *peertest.Peer) {
			startTLS(p, "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"+serverHeader)
		}, "bytes behind"},
		{"end in place of a handshake", server.DirectTLS, func(*peertest.Peer) {}, "TLS: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			address := peertest.Serve(t, tt.play)
			s, err := server.New(server.Config{Domain: "example.org", Addresses: []string{address}, TLS: tt.mode, AccountSecret: secret, Accounts: never{t}})
			if err != nil {
				t.Fatal(err)
			}
			fails(t, t.Context(), s, alice, tt.want)
		})
	}
}

// startTLS plays up to the answer to <starttls/>. Before TLS the client must
// not say who its user is.
func startTLS(p *peertest.Peer, answer string) {
	if header := p.Expect(`<stream:stream [^>]*>`); strings.Contains(header, "alice") {
		p.T.Errorf("the user is named before TLS: %s", header)
	}
	p.Send(serverHeader + "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>")
	p.Expect(`<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>`)
	p.Send(answer)
	p.Rest()
}

func TestHeaderNamesUserAndDomain(t *testing.T) {
	got := make(chan string, 1)
	s := scriptedServer(t, peertest.Serve(t, func(p *peertest.Peer) { got <- p.Expect(`<stream:stream [^>]*>`) }))
	fails(t, t.Context(), s, alice, "closed the connection")
	header := <-got
	for _, want := range []string{" from='alice@example.org'", " to='example.org'", " version='1.0'", " xmlns='jabber:client'"} {
		if !strings.Contains(header, want) {
			t.Errorf("header %s lacks %s", header, want)
		}
	}
}

func TestCancelAtEachStage(t *testing.T) {
	for _, stage := range []struct {
		name string
		play func(*peertest.Peer)
	}{
		{"header", func(p *peertest.Peer) { p.Expect(`<stream:stream [^>]*>`) }},
		{"features", func(p *peertest.Peer) { p.Expect(`<stream:stream [^>]*>`); p.Send(serverHeader) }},
		{"challenge", func(p *peertest.Peer) {
			p.Expect(`<stream:stream [^>]*>`)
			p.Send(serverHeader + sha1Features)
			p.Expect(`</auth>`)
		}},
	} {
		t.Run(stage.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			s := scriptedServer(t, peertest.Serve(t, func(p *peertest.Peer) { stage.play(p); cancel(); p.Rest() }))
			if err := fails(t, ctx, s, alice, "server 127.0.0.1:"); !errors.Is(err, context.Canceled) {
				t.Errorf("error %v is not the context's", err)
			}
		})
	}
}
