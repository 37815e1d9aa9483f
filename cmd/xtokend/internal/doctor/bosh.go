package doctor

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"strings"

	"xtokend/internal/element"
)

const (
	nsHTTPBind = "http://jabber.org/protocol/httpbind"

	// maxEmptyAnswers bounds how often an element is waited for, boshWait seconds
	// each.
	maxEmptyAnswers = 5
	boshWait        = 3
)

// bosh is a stream over BOSH (XEP-0124, XEP-0206), with one request at a time.
type bosh struct {
	ctx      context.Context
	client   *http.Client
	url      string
	header   http.Header
	domain   string
	rid      int64
	sid      string
	received []element.Element
	ended    bool
}

func newBOSH(ctx context.Context, client *http.Client, url string, header http.Header, domain string) (*bosh, error) {
	first, err := rand.Int(rand.Reader, big.NewInt(1<<32)) // XEP-0124 §14.1.1: nobody should guess it
	if err != nil {
		return nil, err
	}
	return &bosh{ctx: ctx, client: client, url: url, header: header, domain: domain, rid: first.Int64()}, nil
}

func (b *bosh) open() (element.Element, error) {
	attributes := " xmpp:restart='true'"
	if b.sid == "" {
		attributes = fmt.Sprintf(" ver='1.6' wait='%d' hold='1' xmpp:version='1.0'", boshWait)
	}
	err := b.post(attributes+" xmlns:xmpp='urn:xmpp:xbosh' xml:lang='en' to='"+element.Escape(b.domain)+"'", "")
	if err != nil {
		return element.Element{}, err
	}
	return expect(b, nsStream, "features")
}

func (b *bosh) send(text string) error { return b.post("", text) }

func (b *bosh) next() (element.Element, error) {
	for range maxEmptyAnswers {
		if len(b.received) > 0 {
			e := b.received[0]
			b.received = b.received[1:]
			if e.Name.Space == nsStream && e.Name.Local == "error" {
				return element.Element{}, fmt.Errorf("stream error %s", condition(e))
			}
			return e, nil
		}
		if err := b.post("", ""); err != nil {
			return element.Element{}, err
		}
	}
	return element.Element{}, errors.New("no answer in time")
}

// post makes one request and keeps the elements of its answer.
func (b *bosh) post(attributes, content string) error {
	if b.ended {
		return errors.New("the BOSH session has ended")
	}
	if b.sid != "" {
		attributes += " sid='" + element.Escape(b.sid) + "'"
	}
	text := fmt.Sprintf("<body xmlns='%s' rid='%d'%s>%s</body>", nsHTTPBind, b.rid, attributes, content)
	b.rid++
	request, err := http.NewRequestWithContext(b.ctx, http.MethodPost, b.url, strings.NewReader(text))
	if err != nil {
		return err
	}
	request.Header = b.header.Clone()
	request.Header.Set("Content-Type", "text/xml; charset=utf-8")
	answer, err := b.client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return &statusError{answer.StatusCode}
	}
	said, err := io.ReadAll(io.LimitReader(answer.Body, maxElementBytes))
	if err != nil {
		return err
	}
	body, err := element.Parse(said, element.Header{})
	if err != nil || body.Name.Space != nsHTTPBind || body.Name.Local != "body" {
		return errors.New("the answer is no BOSH body")
	}
	if b.sid == "" {
		b.sid = body.AttrValue("sid")
	}
	b.received = append(b.received, body.Children...)
	if body.AttrValue("type") == "terminate" {
		b.ended = true
		if c := body.AttrValue("condition"); c != "" && len(b.received) == 0 {
			return fmt.Errorf("the BOSH session was ended: %.64s", c)
		}
	}
	return nil
}

func (b *bosh) close() {
	if b.sid != "" && !b.ended {
		b.post(" type='terminate'", "")
	}
	b.client.CloseIdleConnections()
}
