package e2e

import (
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
)

// boshFraming is that of XEP-0206 for a client that asks for nothing beyond the
// default: the server holds one request, and answers it when the next comes.
type boshFraming struct {
	ctx    context.Context
	client *http.Client
	url    string
	fields http.Header // of each request
	sid    string
	rid    int64 // of the last request

	answers chan boshAnswer // of requests, in any order
	open    int             // requests without an answer
	early   map[int64]boshAnswer
	read    int64 // rid of the last answer that was taken in

	unread []element
	ended  bool
	// condition is that of the end (XEP-0124 §17.2), until it is told.
	condition string
}

// boshAnswer is the body that answers the request rid.
type boshAnswer struct {
	rid  int64
	body element
	err  error
}

// boshRequests is how many requests may be under way, by a hold of one
// (XEP-0124 §7).
const boshRequests = 2

func (f *boshFraming) header() error {
	if f.sid != "" {
		return f.request(fmt.Sprintf("to='%s' xmpp:restart='true' xmlns:xmpp='urn:xmpp:xbosh'", domain), "")
	}
	f.answers = make(chan boshAnswer, boshRequests)
	f.early = map[int64]boshAnswer{}
	f.read = f.rid
	err := f.request(fmt.Sprintf("to='%s' ver='1.6' wait='30' hold='1' xmpp:version='1.0' xmlns:xmpp='urn:xmpp:xbosh'", domain), "")
	if err != nil {
		return err
	}
	return f.takeIn() // without its sid there is no second request
}

func (f *boshFraming) write(format string, args ...any) error {
	return f.request("", fmt.Sprintf(format, args...))
}

func (f *boshFraming) end() error { return f.request("type='terminate'", "") }

func (f *boshFraming) next() (element, error) {
	for len(f.unread) == 0 {
		if condition := f.condition; condition != "" {
			f.condition = ""
			return element{}, streamError(condition)
		}
		if f.ended {
			return element{}, io.EOF
		}
		if f.open == 0 && len(f.early) == 0 {
			if err := f.request("", ""); err != nil {
				return element{}, err
			}
		}
		if err := f.takeIn(); err != nil {
			return element{}, err
		}
	}
	e := f.unread[0]
	f.unread = f.unread[1:]
	return e, nil
}

// close leaves the session to its inactivity.
func (f *boshFraming) close() {}

// request sends a body once there is room for it, and does not wait for its answer.
func (f *boshFraming) request(attributes, payload string) error {
	for f.open == boshRequests {
		if err := f.awaitAnswer(); err != nil {
			return err
		}
	}
	if f.sid != "" {
		attributes += fmt.Sprintf(" sid='%s'", f.sid)
	}
	f.rid++
	rid := f.rid
	body := fmt.Sprintf("<body xmlns='http://jabber.org/protocol/httpbind' rid='%d' %s>%s</body>", rid, attributes, payload)
	r, err := http.NewRequestWithContext(f.ctx, http.MethodPost, f.url, strings.NewReader(body))
	if err != nil {
		return err
	}
	maps.Copy(r.Header, f.fields)
	r.Header.Set("Content-Type", "text/xml; charset=utf-8")
	f.open++
	go func() {
		body, err := f.exchange(r)
		f.answers <- boshAnswer{rid, body, err} // there is room for each that is open
	}()
	return nil
}

func (f *boshFraming) exchange(r *http.Request) (element, error) {
	answer, err := f.client.Do(r)
	if err != nil {
		return element{}, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return element{}, fmt.Errorf("status %s", answer.Status)
	}
	var body element
	if err := xml.NewDecoder(answer.Body).Decode(&body); err != nil {
		return element{}, err
	}
	if !body.is("http://jabber.org/protocol/httpbind", "body") {
		return element{}, fmt.Errorf("no body but %v", body)
	}
	return body, nil
}

func (f *boshFraming) awaitAnswer() error {
	select {
	case a := <-f.answers:
		f.open--
		f.early[a.rid] = a
		return a.err
	case <-f.ctx.Done():
		return f.ctx.Err()
	}
}

// takeIn waits for the answer to the oldest request.
func (f *boshFraming) takeIn() error {
	for {
		a, ok := f.early[f.read+1]
		if !ok {
			if err := f.awaitAnswer(); err != nil {
				return err
			}
			continue
		}
		f.read++
		delete(f.early, f.read)
		if sid := a.body.attribute("sid"); sid != "" {
			f.sid = sid
		}
		if a.body.attribute("type") == "terminate" {
			f.ended = true
			// Of this one the stream error itself comes with it.
			if condition := a.body.attribute("condition"); condition != "remote-stream-error" {
				f.condition = condition
			}
		}
		f.unread = append(f.unread, a.body.Children...)
		return nil
	}
}
