package component_test

import (
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"xtokend/internal/xmlsplit"
)

const restarted = `<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0' xml:lang='en' id='none' from='example.org' to='none'>`

// boshClient is the client's end of a BOSH session for tests that are written in
// plain stream form (XEP-0124, XEP-0206). It always has a request open.
type boshClient struct {
	net.Conn // none: deadlines and addresses are not used
	ctx      context.Context
	cancel   context.CancelFunc
	url      string
	http     *http.Client
	rid      int
	sid      string
	open     int         // requests without an answer
	answers  chan answer // of requests, in any order
	held     map[int]answer
	next     int // rid whose answer comes next
	restart  bool
	ended    bool
	unread   string
}

type answer struct {
	rid  int
	body string
	err  error
}

func dialBOSH(t *testing.T, address string) *boshClient {
	c := &boshClient{url: "http://" + address + "/http-bind", rid: 4711, next: 4711,
		http:    &http.Client{Transport: &http.Transport{}, Timeout: patience},
		answers: make(chan answer, 64), held: make(map[int]answer)}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	t.Cleanup(func() {
		if c.sid != "" && !c.ended && c.ctx.Err() == nil {
			// A session that nobody asks after would hold the front up.
			c.post(" type='terminate'", "")
			for c.open > 0 {
				<-c.answers
				c.open--
			}
		}
		c.Close()
	})
	return c
}

// post sends a request whose body has the attributes and the content.
func (c *boshClient) post(attributes, content string) {
	rid := c.rid
	c.rid++
	c.open++
	sid := ""
	if c.sid != "" {
		sid = " sid='" + c.sid + "'"
	}
	body := fmt.Sprintf("<body xmlns='http://jabber.org/protocol/httpbind' rid='%d'%s%s>%s</body>", rid, sid, attributes, content)
	go func() {
		request, err := http.NewRequestWithContext(c.ctx, http.MethodPost, c.url, strings.NewReader(body))
		if err != nil {
			c.answers <- answer{rid, "", err}
			return
		}
		request.Header.Set("Content-Type", "text/xml; charset=utf-8")
		response, err := c.http.Do(request)
		if err != nil {
			c.answers <- answer{rid, "", err}
			return
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		c.answers <- answer{rid, string(text), err}
	}()
}

func (c *boshClient) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		unit := firstUnit(rest)
		rest = rest[len(unit):]
		text := string(unit)
		m := plainHeader.FindStringSubmatch(text)
		switch {
		case m != nil && c.sid == "":
			attributes := regexp.MustCompile(` version=`).ReplaceAllString(declared.ReplaceAllString(m[2], ""), " xmpp:version=")
			c.post(" wait='10' hold='1' ver='1.11' xmlns:xmpp='urn:xmpp:xbosh'"+attributes, "")
			c.begin()
		case m != nil:
			c.restart = true
			c.post(" xmpp:restart='true' xmlns:xmpp='urn:xmpp:xbosh'"+declared.ReplaceAllString(regexp.MustCompile(` version='[^']*'`).ReplaceAllString(m[2], ""), ""), "")
		case text == "</stream:stream>":
			c.post(" type='terminate'", "")
		default:
			c.post("", text)
		}
	}
	return len(p), nil
}

// begin waits for the answer to the creation request, without which there is no
// sid to go on with.
func (c *boshClient) begin() {
	a := <-c.answers
	c.held[a.rid] = a
	if m := regexp.MustCompile(` sid='([^']*)'`).FindStringSubmatch(a.body); m != nil {
		c.sid = m[1]
	}
	c.open--
}

func (c *boshClient) Read(p []byte) (int, error) {
	for c.unread == "" {
		if c.ended {
			return 0, io.EOF
		}
		a, ok := c.held[c.next]
		if !ok {
			if c.open == 0 {
				c.post("", "")
			}
			select {
			case a = <-c.answers:
			case <-time.After(patience):
				return 0, fmt.Errorf("no answer to request %d", c.next)
			}
			c.open--
			c.held[a.rid] = a
			continue
		}
		delete(c.held, c.next)
		c.next++
		if a.err != nil {
			return 0, a.err
		}
		if err := c.take(a); err != nil {
			return 0, err
		}
	}
	n := copy(p, c.unread)
	c.unread = c.unread[n:]
	return n, nil
}

// take turns an answer into plain stream form.
func (c *boshClient) take(a answer) error {
	var body struct {
		XMLName   xml.Name `xml:"http://jabber.org/protocol/httpbind body"`
		From      string   `xml:"from,attr"`
		AuthID    string   `xml:"authid,attr"`
		Type      string   `xml:"type,attr"`
		Condition string   `xml:"condition,attr"`
		Content   string   `xml:",innerxml"`
	}
	if err := xml.Unmarshal([]byte(a.body), &body); err != nil {
		return fmt.Errorf("answer %q: %w", a.body, err)
	}
	if a.rid == 4711 {
		c.unread = strings.NewReplacer("none' to='none", body.From, "id='none'", "id='"+body.AuthID+"'", " from='example.org'", " from='"+body.From+"'", " to='none'", "").Replace(restarted)
	} else if c.restart && strings.Contains(body.Content, "<stream:features") {
		c.restart = false
		c.unread = restarted
	}
	s := xmlsplit.Scanner{Relay: true}
	s.StartInside()
	for rest := body.Content; rest != ""; {
		n, kind, err := s.Scan([]byte(rest))
		if err != nil || kind != xmlsplit.Element {
			return fmt.Errorf("answer %q holds no elements", a.body)
		}
		c.unread += plain(rest[:n])
		rest = rest[n:]
	}
	if body.Type == "terminate" {
		if body.Condition != "" && body.Condition != "remote-stream-error" {
			c.unread += "<stream:error><" + body.Condition + " xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>"
		}
		c.unread += "</stream:stream>"
		c.ended = true
	}
	return nil
}

// Close leaves the session to itself, as a browser does that goes away: the
// requests that are open are broken off.
func (c *boshClient) Close() error {
	c.cancel()
	c.http.CloseIdleConnections()
	return nil
}

func (c *boshClient) SetDeadline(time.Time) error { return nil }
