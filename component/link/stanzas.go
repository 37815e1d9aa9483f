package link

import (
	"crypto/rand"
	"encoding/xml"

	"mellium.im/xmpp/commands"
	"mellium.im/xmpp/stanza"
)

const nsStanzas = "urn:ietf:params:xml:ns:xmpp-stanzas"

// iq is an IQ as far as the component needs it (RFC 6120 §8.2.3).
type iq struct {
	XMLName xml.Name      `xml:"iq"`
	ID      string        `xml:"id,attr"`
	From    string        `xml:"from,attr"`
	To      string        `xml:"to,attr"`
	Type    stanza.IQType `xml:"type,attr"`
	Command *command
	Error   *iqError
	Payload any // of an answer of ours: what says its own name
}

// command is an ad-hoc command or its answer (XEP-0050 §4.2).
type command struct {
	XMLName   xml.Name `xml:"http://jabber.org/protocol/commands command"`
	Node      string   `xml:"node,attr"`
	SessionID string   `xml:"sessionid,attr,omitempty"`
	Status    string   `xml:"status,attr,omitempty"`
	Actions   *actions
	Form      *form
	Notes     []note `xml:"http://jabber.org/protocol/commands note"`
}

// actions are those with which a command can go on, beside cancel (XEP-0050 §3.4).
type actions struct {
	XMLName  xml.Name  `xml:"http://jabber.org/protocol/commands actions"`
	Execute  string    `xml:"execute,attr"` // which of them is meant by execute
	Complete *struct{} `xml:"http://jabber.org/protocol/commands complete"`
}

type note struct {
	Type string `xml:"type,attr"`
	Text string `xml:",chardata"`
}

// form is a data form (XEP-0004).
type form struct {
	XMLName      xml.Name `xml:"jabber:x:data x"`
	Type         string   `xml:"type,attr"`
	Title        string   `xml:"jabber:x:data title,omitempty"`
	Instructions string   `xml:"jabber:x:data instructions,omitempty"`
	Fields       []field  `xml:"jabber:x:data field"`
}

type field struct {
	Var      string    `xml:"var,attr"`
	Type     string    `xml:"type,attr,omitempty"`
	Label    string    `xml:"label,attr,omitempty"`
	Required *struct{} `xml:"jabber:x:data required"`
	Values   []string  `xml:"jabber:x:data value"`
}

// iqError is a stanza error (RFC 6120 §8.3).
type iqError struct {
	XMLName   xml.Name         `xml:"error"`
	Type      stanza.ErrorType `xml:"type,attr"`
	Condition conditions       `xml:",any"`
}

// conditions are the children of an error: one condition, perhaps a text.
type conditions []struct {
	XMLName xml.Name
	Text    string `xml:",chardata"`
}

func (e *iqError) condition() stanza.Condition {
	for _, c := range e.Condition {
		if c.XMLName.Space == nsStanzas && c.XMLName.Local != "text" {
			return stanza.Condition(c.XMLName.Local)
		}
	}
	return stanza.UndefinedCondition
}

func (e *iqError) text() string {
	for _, c := range e.Condition {
		if c.XMLName.Space == nsStanzas && c.XMLName.Local == "text" {
			return c.Text
		}
	}
	return ""
}

// refusal is an error with a text, which may be empty.
func refusal(kind stanza.ErrorType, c stanza.Condition, text string) *iqError {
	e := &iqError{Type: kind}
	e.add(nsStanzas, string(c), "")
	if text != "" {
		e.add(nsStanzas, "text", text)
	}
	return e
}

func (e *iqError) add(space, local, text string) {
	e.Condition = append(e.Condition, conditions{{xml.Name{Space: space, Local: local}, text}}...)
}

func unavailable() *iqError { return refusal(stanza.Cancel, stanza.ServiceUnavailable, "") }

func forbidden() *iqError {
	return refusal(stanza.Auth, stanza.Forbidden, "for administrators only")
}

// badRequest has a condition of XEP-0050 §4.4 beside its own.
func badRequest(condition, text string) *iqError {
	return commandError(stanza.Modify, stanza.BadRequest, condition, text)
}

func commandError(kind stanza.ErrorType, c stanza.Condition, condition, text string) *iqError {
	e := refusal(kind, c, text)
	e.add(commands.NS, condition, "")
	return e
}

// newID returns an id of 130 random bits.
func newID() string { return rand.Text() }
