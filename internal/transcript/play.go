package transcript

import (
	"encoding/base64"
	"strings"
	"testing"
	"text/template"
)

// Client is a connection to the front, in plain stream form whatever carries it. Its
// methods end the test when they fail.
type Client interface {
	Send(text string)
	Expect(pattern string) // see Pattern
	ExpectEOF()            // and nothing before
	Close()
}

// Tokens are those that a dialogue's client has. The methods end the test when they
// fail.
type Tokens interface {
	// Token is a good one for user, issued steps of 30 s after now.
	Token(user string, steps int) string
	// Forged is a token of right form by somebody who does not know the secret.
	Forged(user string) string
}

// Scene is what a dialogue is played on. Its methods end the test when they fail.
type Scene interface {
	Tokens
	// Dial connects up to where a stream header is due.
	Dial(transport string) Client
	// Relayed takes the answer to the second header, and shows that bytes pass.
	Relayed(c Client, user string)
	// Cut breaks the upstream's connection of the client that logged in last.
	Cut()
	Shutdown()
}

// Play plays the dialogue over one of its transports.
func (d Dialogue) Play(t testing.TB, scene Scene, transport string) {
	t.Helper()
	lines := d.render(t, scene)
	c := scene.Dial(transport)
	for _, line := range lines {
		verb, rest, _ := strings.Cut(line, " ")
		switch verb {
		case "OPEN":
			c.Send(Header)
			c.Expect(FrontHeader + `<stream:features>…</stream:features>`)
		case "LOGIN":
			c.Send(AuthElement("X-TOKEN", "", rest, scene.Token(rest, 0)))
			c.Expect(`<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>`)
			c.Send(Header)
			scene.Relayed(c, rest)
		case "RECONNECT":
			c.Close()
			c = scene.Dial(transport)
		case "ANOTHER":
			c = scene.Dial(transport)
		case "CUT":
			scene.Cut()
		case "SHUTDOWN":
			scene.Shutdown()
		case "C:":
			c.Send(rest)
		case "S:":
			if rest == "EOF" {
				c.ExpectEOF()
			} else {
				c.Expect(rest)
			}
		default:
			t.Fatalf("%s.txt: %q has the line %q", d.File, d.Name, line)
		}
	}
}

// ClientLines is what the client says in the dialogue.
func (d Dialogue) ClientLines(t testing.TB, tokens Tokens) []string {
	t.Helper()
	var said []string
	for _, line := range d.render(t, tokens) {
		if line, ok := strings.CutPrefix(line, "C: "); ok {
			said = append(said, line)
		}
	}
	return said
}

// render executes the lines as a template with the functions that a client needs to
// say what no fixed text can.
func (d Dialogue) render(t testing.TB, tokens Tokens) []string {
	t.Helper()
	functions := template.FuncMap{
		"token":  tokens.Token,
		"forged": tokens.Forged,
		"auth":   AuthElement,
		"base64": encode,
		"repeat": strings.Repeat,
		"header": func(replace ...string) string { return strings.NewReplacer(replace...).Replace(Header) },
		"cut":    func(s string, n int) string { return s[:len(s)-n] },
		"shift":  func(token string, digit string) string { return token[:40] + digit + token[40:] },
	}
	parsed, err := template.New("transcript").Funcs(functions).Parse(strings.Join(d.lines, "\n"))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := parsed.Execute(&b, nil); err != nil {
		t.Fatal(err)
	}
	return strings.Split(b.String(), "\n")
}

// AuthElement is the <auth/> of the mechanisms that take authzid, authcid and token.
func AuthElement(mechanism, authzid, authcid, token string) string {
	return `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='` + mechanism + `'>` +
		encode(authzid+"\x00"+authcid+"\x00"+token) + `</auth>`
}

func encode(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
