package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"xtokend/cmd/xtokend/internal/extauth"
)

const (
	// answerTimeout is longer than the daemon takes to wait for its replay store.
	answerTimeout = 40 * time.Second
	// answerBytes is enough for the sessions of a full daemon.
	answerBytes = 64 << 20
)

// Client asks a daemon. Its errors are *[Error] if the daemon has refused, a
// *net.OpError if nobody is there.
type Client struct {
	http *http.Client
}

// NewClient returns a client of the daemon at a socket. Nothing is dialled yet.
func NewClient(path string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}
	return &Client{&http.Client{Transport: &http.Transport{DialContext: dial}, Timeout: answerTimeout}}
}

// Close closes the connections that are kept.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Status asks how the daemon is.
func (c *Client) Status(ctx context.Context) (s Status, err error) {
	err = c.do(ctx, http.MethodGet, "/status", nil, &s)
	return s, err
}

// Sessions asks who is logged in.
func (c *Client) Sessions(ctx context.Context) (s []Session, err error) {
	err = c.do(ctx, http.MethodGet, "/sessions", nil, &s)
	return s, err
}

// Revoke has the daemon refuse the user's tokens of before now and end the user's
// sessions.
func (c *Client) Revoke(ctx context.Context, user string) (r Revoked, err error) {
	err = c.do(ctx, http.MethodPost, "/revoke", revocation{user}, &r)
	return r, err
}

// RemoveTrial has the daemon remove a trial account.
func (c *Client) RemoveTrial(ctx context.Context, user string) error {
	return c.do(ctx, http.MethodPost, "/remove-trial", removal{user}, &struct{}{})
}

// Drain has the daemon let nobody new in.
func (c *Client) Drain(ctx context.Context) (d Drained, err error) {
	err = c.do(ctx, http.MethodPost, "/drain", nil, &d)
	return d, err
}

// Answer asks on behalf of a server; it is an [extauth.Answer]. It keeps no
// connection: there are few, and others need them.
func (c *Client) Answer(ctx context.Context, q extauth.Question) (yes bool, err error) {
	defer c.Close()
	var a Answered
	if err := c.do(ctx, http.MethodPost, "/answer", q, &a); err != nil {
		return false, err
	}
	return a.Yes, nil
}

func (c *Client) do(ctx context.Context, method, path string, question, into any) error {
	var body io.Reader
	if question != nil {
		text, err := json.Marshal(question)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://xtokend"+path, body)
	if err != nil {
		return err
	}
	answer, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text := json.NewDecoder(io.LimitReader(answer.Body, answerBytes))
	if answer.StatusCode == http.StatusOK {
		return text.Decode(into)
	}
	refusal := &Error{}
	if err := text.Decode(refusal); err != nil || refusal.Text == "" {
		return fmt.Errorf("the daemon has answered %s", answer.Status)
	}
	return refusal
}
