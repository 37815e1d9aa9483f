package link

import (
	"crypto/rand"
	"encoding/xml"

	"mellium.im/xmpp/stanza"
)

const nsStanzas = "urn:ietf:params:xml:ns:xmpp-stanzas"

// iq is an IQ as far as account commands need it (RFC 6120 §8.2.3).
type iq struct {
	XMLName xml.Name      `xml:"iq"`
	ID      string        `xml:"id,attr"`
	From    string        `xml:"from,attr"`
	To      string        `xml:"to,attr"`
	Type    stanza.IQType `xml:"type,attr"`
	Command *command
	Error   *iqError
}

// command is an ad-hoc command or its answer (XEP-0050 §4.2).
type command struct {
	XMLName xml.Name `xml:"http://jabber.org/protocol/commands command"`
	Node    string   `xml:"node,attr"`
	Status  string   `xml:"status,attr,omitempty"`
	Form    *form
	Notes   []note `xml:"http://jabber.org/protocol/commands note"`
}

type note struct {
	Type string `xml:"type,attr"`
	Text string `xml:",chardata"`
}

// form is a data form (XEP-0004).
type form struct {
	XMLName xml.Name `xml:"jabber:x:data x"`
	Type    string   `xml:"type,attr"`
	Fields  []field  `xml:"jabber:x:data field"`
}

type field struct {
	Var    string   `xml:"var,attr"`
	Values []string `xml:"jabber:x:data value"`
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

// newID returns an id of 130 random bits.
func newID() string { return rand.Text() }
