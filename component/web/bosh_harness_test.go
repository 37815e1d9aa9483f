package web_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"xtokend/component/web"
)

const (
	boshMechanisms = `<stream:features xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'><mechanisms …</mechanisms></stream:features>`
	boshFeatures   = `<stream:features xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'><bind …</stream:features>`
	boshEmpty      = `<body xmlns='http://jabber.org/protocol/httpbind'/>`
	// What strophe.js asks for.
	boshCreation = `to='example.org' xml:lang='en' wait='59' hold='1' content='text/xml; charset=utf-8' ver='1.6' xmpp:version='1.0' xmlns:xmpp='urn:xmpp:xbosh'`
	boshRestart  = `to='example.org' xml:lang='en' xmpp:restart='true' xmlns:xmpp='urn:xmpp:xbosh'`
)

// boshClient speaks BOSH in plain requests: it counts rids, and nothing else.
type boshClient struct {
	t    *testing.T
	sc   *scene
	http *http.Client
	url  string
	sid  string
	rid  uint64 // of the next request
}

func (sc *scene) bosh(t *testing.T, url string) *boshClient {
	return &boshClient{t: t, sc: sc, http: sc.client(t), url: url, rid: 1<<52 + 7}
}

// pending is a request under way.
type pending struct {
	t      *testing.T
	cancel context.CancelFunc // cuts the connection
	answer chan answer
}

type answer struct {
	*http.Response
	body string
	err  error
}

// do sends text as it is.
func (c *boshClient) do(method, text string) *pending {
	ctx, cancel := context.WithCancel(context.Background())
	p := &pending{c.t, cancel, make(chan answer, 1)}
	r, err := http.NewRequestWithContext(ctx, method, c.url, strings.NewReader(text))
	must(c.t, err)
	r.Header.Set("Content-Type", "text/xml; charset=utf-8")
	go func() {
		var a answer
		if a.Response, a.err = c.http.Do(r); a.err == nil {
			var b []byte
			b, a.err = io.ReadAll(a.Body)
			a.Body.Close()
			a.body = string(b)
		}
		p.answer <- a
	}()
	return p
}

// whole returns the answer.
func (p *pending) whole() answer {
	p.t.Helper()
	a := <-p.answer
	must(p.t, a.err)
	return a
}

// hear demands an answer that matches.
func (p *pending) hear(pattern string) {
	p.t.Helper()
	a := p.whole()
	if a.StatusCode != http.StatusOK {
		p.t.Fatalf("status %d, want %s", a.StatusCode, pattern)
	}
	match(p.t, a.body, pattern)
}

// cut breaks the connection.
func (p *pending) cut() {
	p.t.Helper()
	p.cancel()
	if a := <-p.answer; !errors.Is(a.err, context.Canceled) {
		p.t.Fatalf("the request was answered: %v, %q", a.err, a.body)
	}
}

// say sends the next request, with attributes beside rid and sid.
func (c *boshClient) say(attrs, payload string) *pending {
	c.rid++
	return c.repeat(c.rid-1, attrs, payload)
}

// repeat sends a request with a rid of any kind.
func (c *boshClient) repeat(rid uint64, attrs, payload string) *pending {
	if c.sid != "" {
		attrs = "sid='" + c.sid + "' " + attrs
	}
	return c.do(http.MethodPost, "<body rid='"+strconv.FormatUint(rid, 10)+"' "+attrs+" xmlns='http://jabber.org/protocol/httpbind'>"+payload+"</body>")
}

var sidAttribute = regexp.MustCompile(` sid='((?:[a-z0-9]+-)?[A-Z2-7]{26})'`)

// create begins a session and returns the response.
func (c *boshClient) create(attrs string) answer {
	c.t.Helper()
	a := c.say(attrs, "").whole()
	m := sidAttribute.FindStringSubmatch(a.body)
	if m == nil {
		c.t.Fatalf("no sid in %s", a.body)
	}
	c.sid = m[1]
	// The front would wait for whoever leaves without a word.
	c.t.Cleanup(func() { <-c.say("type='terminate'", "").answer })
	return a
}

// held sends an empty request and returns when it is held.
func (c *boshClient) held() *pending {
	p := c.say("", "")
	web.AwaitBOSHRequests(c.sc.web, c.sid, 1)
	return p
}

// login leads to the relay.
func (c *boshClient) login() {
	c.t.Helper()
	match(c.t, c.create(boshCreation).body, `<body sid='…'>`+boshMechanisms+`</body>`)
	c.authenticate()
}

func (c *boshClient) authenticate() {
	c.t.Helper()
	c.say("", authElement("alice", c.sc.token(c.t, "alice"))).hear(`<body xmlns='http://jabber.org/protocol/httpbind'>` + success + `</body>`)
	c.say(boshRestart, "").hear(`<body xmlns='http://jabber.org/protocol/httpbind' xmlns:stream='http://etherx.jabber.org/streams'>` + boshFeatures + `</body>`)
}

// a body with payload and nothing to say about the session.
func boshBody(payload string) string {
	return `<body xmlns='http://jabber.org/protocol/httpbind'>` + payload + `</body>`
}

func utoa(n uint64) string { return strconv.FormatUint(n, 10) }
