package e2e

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"

	"xtokend/internal/transcript"
)

// The dialogues with the front are those of package component's own tests, there
// with an upstream that echoes. Here the program has its real ones, and its default
// settings: what needs others, or ends the scene for all, is played there alone.
func TestFrontDialogues(t *testing.T) {
	dialogues, err := transcript.Read("../testdata/transcripts/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	onEachUpstream(t, func(t *testing.T, behind upstream) {
		s := newDialoguesSite(t, behind)
		forger := *s.Installation
		forger.TokenSecret = strings.Repeat("A", len(forger.TokenSecret))
		stage := frontStage{site: s, forger: newIssuer(t, &forger, "")}
		s.forbid(stage.forger.secrets)
		for _, d := range dialogues {
			if d.With != nil || d.EndsScene() {
				continue
			}
			for _, transport := range d.Over {
				if !slices.Contains([]string{"starttls", "tls"}, transport) {
					continue
				}
				t.Run(d.File+"/"+d.Name+"/"+transport, func(t *testing.T) {
					t.Parallel()
					stage := stage
					stage.t = t
					d.Play(t, stage, transport)
				})
			}
		}
	})
}

// frontStage is a site as transcripts want it.
type frontStage struct {
	*site
	t      *testing.T
	forger *issuer
}

// Token is not moved to or from a step that the window holds by the time that passes
// before it is used: beyond the window it is half a step farther away.
func (s frontStage) Token(user string, steps int) string {
	const step = 30 // seconds
	ahead := steps * step
	switch {
	case steps > s.Skew:
		ahead += step / 2
	case steps < -s.Skew:
		ahead -= step / 2
	}
	return s.issuer.issue(request{Authcid: user, Domain: domain, Ahead: ahead})
}

func (s frontStage) Forged(user string) string { return s.forger.token(user) }

func (s frontStage) Dial(transport string) transcript.Client {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, dialogueTimeout)
	s.t.Cleanup(cancel)
	to := s.service(map[string]string{"starttls": "xmpp", "tls": "xmpps"}[transport])
	stream, err := dialStream(ctx, to, s.tls)
	if err == nil && transport == "starttls" {
		if _, err = stream.open(); err == nil {
			err = stream.startTLS(ctx, s.tls)
		}
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(stream.close)
	return &byteClient{t: s.t, conn: stream.framing.(*tcpFraming).conn}
}

// Relayed shows that bytes pass by binding a resource.
func (s frontStage) Relayed(c transcript.Client, user string) {
	c.Expect(transcript.FrontHeader + `<stream:features>…<bind xmlns='` + nsBind + `'…</stream:features>`)
	c.Send("<iq type='set' id='bind'><bind xmlns='" + nsBind + "'/></iq>")
	c.Expect("<iq…<jid>" + user + "@" + domain + "/…</jid></bind></iq>")
}

func (s frontStage) Cut()      { s.t.Fatal("the upstream is everybody's") }
func (s frontStage) Shutdown() { s.t.Fatal("the front is everybody's") }

// byteClient speaks bytes: nothing between the test and the wire.
type byteClient struct {
	t    *testing.T
	conn net.Conn
	buf  bytes.Buffer // received and not yet expected
}

func (c *byteClient) Send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, text); err != nil {
		c.t.Fatalf("sending: %v", err)
	}
}

func (c *byteClient) Expect(pattern string) {
	c.t.Helper()
	for {
		if at := transcript.Pattern(pattern).FindIndex(c.buf.Bytes()); at != nil {
			c.buf.Next(at[1])
			return
		}
		if err := c.more(); err != nil {
			c.t.Fatalf("expected\n%s\nreceived\n%s\nthen %v", pattern, c.buf.String(), err)
		}
	}
}

func (c *byteClient) ExpectEOF() {
	c.t.Helper()
	err := c.more()
	if c.buf.Len() > 0 || !errors.Is(err, io.EOF) {
		c.t.Fatalf("expected the end of the connection, received %v\n%s", err, c.buf.String())
	}
}

func (c *byteClient) Close() { c.conn.Close() }

func (c *byteClient) more() error {
	b := make([]byte, 4096)
	n, err := c.conn.Read(b)
	c.buf.Write(b[:n])
	if n > 0 {
		return nil
	}
	return err
}
