package main

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"html"
	"time"
)

const saslNamespace = "urn:ietf:params:xml:ns:xmpp-sasl"

// client is a connection and what a login has given it.
type client struct {
	conn
	cfg *config
	jid string // full, once bound
	// When each part of the login was over.
	began, connected, offered, authenticated, bound time.Time
}

// login goes all the way to a bound resource. What it returns has the deadline of the
// login.
func login(cfg *config, user string) (*client, error) {
	c := &client{cfg: cfg, began: time.Now()}
	connection, err := dialConn(cfg)
	if err != nil {
		return nil, err
	}
	c.conn, c.connected = connection, time.Now()
	if err := c.negotiate(user); err != nil {
		c.abort()
		return nil, err
	}
	return c, nil
}

func (c *client) negotiate(user string) error {
	features, err := c.features(false)
	if err != nil {
		return at("features", err)
	}
	if c.cfg.transport == "starttls" {
		if err := c.startTLS(features); err != nil {
			return at("starttls", err)
		}
	}
	c.offered = time.Now()
	if err := c.authenticate(user); err != nil {
		return at("auth", err)
	}
	c.authenticated = time.Now()
	if err := c.bind(); err != nil {
		return at("bind", err)
	}
	c.bound = time.Now()
	return nil
}

// read is next, with a stream error as an error.
func (c *client) read() ([]byte, error) {
	element, err := c.next()
	if err == nil && (name(element) == "stream:error" || name(element) == "error") {
		err = at("stream error", errors.New(condition(element)))
	}
	return element, err
}

// features asks for a stream and reads what the server offers.
func (c *client) features(restart bool) ([]byte, error) {
	if err := c.open(restart); err != nil {
		return nil, err
	}
	element, err := c.read()
	if err != nil {
		return nil, err
	}
	if n := name(element); n != "stream:features" && n != "features" {
		return nil, fmt.Errorf("no features but <%s>", n)
	}
	return element, nil
}

func (c *client) startTLS(features []byte) error {
	if !bytes.Contains(features, []byte("<starttls")) {
		return errors.New("not offered")
	}
	if err := c.send([]byte("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")); err != nil {
		return err
	}
	answer, err := c.read()
	if err != nil {
		return err
	}
	if name(answer) != "proceed" {
		return fmt.Errorf("<%s>", name(answer))
	}
	if err := c.conn.(*tcpConn).startTLS(); err != nil {
		return err
	}
	_, err = c.features(false)
	return err
}

func (c *client) authenticate(user string) error {
	address := user + "@" + c.cfg.domain
	var initial string
	var exchange *scram
	switch c.cfg.mechanism {
	case "X-TOKEN":
		initial = "\x00" + user + "\x00" + c.cfg.tokens.fresh(address)
	case "PLAIN":
		initial = "\x00" + user + "\x00" + c.cfg.passwords.of(address)
	case "SCRAM-SHA-1":
		exchange = newSCRAM(user, c.cfg.passwords.of(address))
		initial = exchange.first()
	default:
		return fmt.Errorf("unknown -mechanism %q", c.cfg.mechanism)
	}
	err := c.send(fmt.Appendf(nil, "<auth xmlns='%s' mechanism='%s'>%s</auth>", saslNamespace, c.cfg.mechanism,
		base64.StdEncoding.EncodeToString([]byte(initial))))
	for err == nil {
		var answer []byte
		if answer, err = c.read(); err != nil {
			break
		}
		switch element := name(answer); element {
		case "challenge":
			err = c.respond(exchange, answer)
		case "success":
			return verifySuccess(exchange, answer)
		case "failure":
			err = errors.New(condition(answer))
		default:
			err = fmt.Errorf("<%s>", element)
		}
	}
	return err
}

// respond answers a challenge: the first one, or the server's final message as one.
func (c *client) respond(exchange *scram, challenge []byte) error {
	message, err := base64.StdEncoding.DecodeString(text(challenge, "challenge"))
	if err != nil || exchange == nil {
		return errors.New("unexpected challenge")
	}
	var response string
	if exchange.serverSignature == nil {
		response, err = exchange.final(string(message))
	} else {
		err = exchange.verify(string(message))
	}
	if err != nil {
		return err
	}
	return c.send(fmt.Appendf(nil, "<response xmlns='%s'>%s</response>", saslNamespace,
		base64.StdEncoding.EncodeToString([]byte(response))))
}

func verifySuccess(exchange *scram, success []byte) error {
	if exchange == nil {
		return nil
	}
	message, err := base64.StdEncoding.DecodeString(text(success, "success"))
	if err != nil {
		return err
	}
	return exchange.verify(string(message))
}

// bind restarts the stream and binds a resource that the server names.
func (c *client) bind() error {
	if _, err := c.features(true); err != nil {
		return err
	}
	const request = "<iq type='set' id='b' xmlns='jabber:client'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"
	if err := c.send([]byte(request)); err != nil {
		return err
	}
	for {
		element, err := c.read()
		if err != nil {
			return err
		}
		if name(element) != "iq" || attr(element, "id") != "b" {
			continue
		}
		c.jid = html.UnescapeString(text(element, "jid"))
		if attr(element, "type") != "result" || c.jid == "" {
			return errors.New(condition(element))
		}
		return nil
	}
}

// ping asks the domain for an answer (XEP-0199): an iq with this id.
func (c *client) ping(id string) error {
	return c.send(fmt.Appendf(nil, "<iq type='get' id='%s' to='%s' xmlns='jabber:client'><ping xmlns='urn:xmpp:ping'/></iq>",
		id, c.cfg.domain))
}
