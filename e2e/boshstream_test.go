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

// boshFraming is that of XEP-0206 for a client that sends nothing while it waits.
type boshFraming struct {
	ctx    context.Context
	client *http.Client
	url    string
	fields http.Header // of each request
	sid    string
	rid    int64
	unread []element
	ended  bool
	// condition is that of the end (XEP-0124 §17.2), until it is told.
	condition string
}

func (f *boshFraming) header() error {
	if f.sid != "" {
		return f.request(fmt.Sprintf("to='%s' xmpp:restart='true' xmlns:xmpp='urn:xmpp:xbosh'", domain), "")
	}
	return f.request(fmt.Sprintf("to='%s' ver='1.6' wait='30' hold='1' xmpp:version='1.0' xmlns:xmpp='urn:xmpp:xbosh'", domain), "")
}

func (f *boshFraming) write(format string, args ...any) error {
	return f.request("", fmt.Sprintf(format, args...))
}

func (f *boshFraming) next() (element, error) {
	for len(f.unread) == 0 {
		if condition := f.condition; condition != "" {
			f.condition = ""
			return element{}, streamError(condition)
		}
		if f.ended {
			return element{}, io.EOF
		}
		if err := f.request("", ""); err != nil {
			return element{}, err
		}
	}
	e := f.unread[0]
	f.unread = f.unread[1:]
	return e, nil
}

// close leaves the session to its inactivity.
func (f *boshFraming) close() {}

// request sends a body and reads the answer.
func (f *boshFraming) request(attributes, payload string) error {
	if f.sid != "" {
		attributes += fmt.Sprintf(" sid='%s'", f.sid)
	}
	f.rid++
	body := fmt.Sprintf("<body xmlns='http://jabber.org/protocol/httpbind' rid='%d' %s>%s</body>", f.rid, attributes, payload)
	r, err := http.NewRequestWithContext(f.ctx, http.MethodPost, f.url, strings.NewReader(body))
	if err != nil {
		return err
	}
	maps.Copy(r.Header, f.fields)
	r.Header.Set("Content-Type", "text/xml; charset=utf-8")
	answer, err := f.client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("status %s", answer.Status)
	}
	var b element
	if err := xml.NewDecoder(answer.Body).Decode(&b); err != nil {
		return err
	}
	if !b.is("http://jabber.org/protocol/httpbind", "body") {
		return fmt.Errorf("no body but %v", b)
	}
	if sid := b.attribute("sid"); sid != "" {
		f.sid = sid
	}
	if b.attribute("type") == "terminate" {
		f.ended = true
		// Of this one the stream error itself comes with it.
		if condition := b.attribute("condition"); condition != "remote-stream-error" {
			f.condition = condition
		}
	}
	f.unread = append(f.unread, b.Children...)
	return nil
}
