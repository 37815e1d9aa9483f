package e2e

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"
)

// The drivers of testdata/clients.
const (
	xmppClient = "client.mjs"
	strophe    = "strophe.mjs"
)

// chatClient is an XMPP client in a Node process of its own, driven by the
// protocol of testdata/clients/driver.mjs. A failed command fails the test.
type chatClient struct {
	t        testing.TB
	ctx      context.Context
	driver   string
	process  *process
	password func() string // asked at each connection
	user     string        // localpart
	jid      string        // full, once online
	private  *private      // may be nil

	writing sync.Mutex
	stdin   io.Writer

	mu      sync.Mutex
	lastID  int
	answers map[int]chan chatMessage
	events  []chatMessage // not yet taken by await
	changed chan struct{} // closed by the next event
	gone    bool          // the process has ended
}

// chatMessage is a line of the driver: an answer or, with Event, an event.
type chatMessage struct {
	ID     int             `json:"id"`
	Result json.RawMessage `json:"result"`
	Event  string          `json:"event"`
	JID    string          `json:"jid"`
	XML    string          `json:"xml"`
	Error  *chatError      `json:"error"`
}

type chatError struct{ Name, Condition, Code, Text string }

func (e *chatError) Error() string {
	return fmt.Sprintf("%s %s %s: %s", e.Name, e.Condition, e.Code, e.Text)
}

// newChatClient starts the process; ctx bounds everything the client does.
func newChatClient(ctx context.Context, t testing.TB, driver, authority string, password func() string) *chatClient {
	t.Helper()
	c := &chatClient{
		t: t, ctx: ctx, driver: driver, password: password,
		answers: map[int]chan chatMessage{},
		changed: make(chan struct{}),
	}
	cmd := exec.Command("node", driver)
	cmd.Dir = "../testdata/clients"
	cmd.Env = append(os.Environ(), "NODE_EXTRA_CA_CERTS="+authority)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.stdin = stdin
	out, stdout := io.Pipe()
	cmd.Stdout = stdout
	c.process = startProcess(t, driver, cmd)
	go c.read(out)
	return c
}

func (c *chatClient) read(out io.Reader) {
	decoder := json.NewDecoder(out)
	for {
		var message chatMessage
		if err := decoder.Decode(&message); err != nil {
			break
		}
		switch {
		case message.Event == "credentials":
			c.write(map[string]any{"do": "credentials", "password": c.password()})
		case message.Event != "":
			c.mu.Lock()
			c.events = append(c.events, message)
			c.wake()
			c.mu.Unlock()
		default:
			c.mu.Lock()
			c.answers[message.ID] <- message
			delete(c.answers, message.ID)
			c.mu.Unlock()
		}
	}
	io.Copy(io.Discard, out)
	c.mu.Lock()
	c.gone = true
	c.wake()
	c.mu.Unlock()
}

// wake is called with mu held.
func (c *chatClient) wake() {
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *chatClient) write(message map[string]any) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	return json.NewEncoder(c.stdin).Encode(message)
}

// try runs a command and returns its error; do is try that must succeed.
func (c *chatClient) try(command string, fields map[string]any, result any) error {
	answered := make(chan chatMessage, 1)
	c.mu.Lock()
	c.lastID++
	id := c.lastID
	c.answers[id] = answered
	c.mu.Unlock()

	message := map[string]any{"id": id, "do": command}
	for name, value := range fields {
		message[name] = value
	}
	if body, ok := fields["body"].(string); ok {
		c.private.add(body)
	}
	if err := c.write(message); err != nil {
		return err
	}
	select {
	case answer := <-answered:
		if answer.Error != nil {
			return answer.Error
		}
		if result == nil {
			return nil
		}
		return json.Unmarshal(answer.Result, result)
	case <-c.process.ended:
		return fmt.Errorf("%s has ended", c.driver)
	case <-c.ctx.Done():
		return c.ctx.Err()
	}
}

func (c *chatClient) do(command string, fields map[string]any, result any) {
	c.t.Helper()
	if err := c.try(command, fields, result); err != nil {
		c.t.Fatalf("%s %v: %v", command, fields, err)
	}
}

// await takes the oldest event of that name which match accepts; a nil match
// accepts each. Events that it passes over stay.
func (c *chatClient) await(event string, match func(chatMessage) bool) chatMessage {
	c.t.Helper()
	for {
		c.mu.Lock()
		changed, gone := c.changed, c.gone
		for i, e := range c.events {
			if e.Event == event && (match == nil || match(e)) {
				c.events = slices.Delete(c.events, i, i+1)
				c.mu.Unlock()
				return e
			}
		}
		c.mu.Unlock()
		if gone {
			c.t.Fatalf("%s has ended without the event %q", c.driver, event)
		}
		select {
		case <-changed:
		case <-c.ctx.Done():
			c.t.Fatalf("no event %q of %s: %v; the events are %+v", event, c.user, c.ctx.Err(), c.pending())
		}
	}
}

func (c *chatClient) pending() []chatMessage {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.events)
}

// stanza is what the tests look at in a message or a presence.
type stanza struct {
	XMLName xml.Name
	From    string `xml:"from,attr"`
	To      string `xml:"to,attr"`
	Type    string `xml:"type,attr"`
	Body    string `xml:"body"`
	Show    string `xml:"show"`
}

// awaitStanza takes the oldest stanza of that name which match accepts.
func (c *chatClient) awaitStanza(name string, match func(stanza) bool) stanza {
	c.t.Helper()
	var found stanza
	c.await("stanza", func(e chatMessage) bool {
		var s stanza
		if err := xml.Unmarshal([]byte(e.XML), &s); err != nil {
			c.t.Fatalf("%s gave %q: %v", c.driver, e.XML, err)
		}
		if s.XMLName.Local != name || !match(s) {
			return false
		}
		found = s
		return true
	})
	return found
}

// awaitMessage takes the message with that body.
func (c *chatClient) awaitMessage(body string) stanza {
	c.t.Helper()
	return c.awaitStanza("message", func(s stanza) bool { return s.Body == body })
}
