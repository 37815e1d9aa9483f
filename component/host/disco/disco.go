// Package disco is what the host and its rooms answer to service discovery
// (XEP-0030).
package disco

import (
	"encoding/xml"

	"xtokend/component/host/form"
)

// The namespaces of the two requests.
const (
	NSInfo  = "http://jabber.org/protocol/disco#info"
	NSItems = "http://jabber.org/protocol/disco#items"
)

// Info says what an entity is and what it can do (§3). It is to be marshalled.
type Info struct {
	XMLName    xml.Name   `xml:"http://jabber.org/protocol/disco#info query"`
	Node       string     `xml:"node,attr,omitempty"`
	Identities []Identity `xml:"identity"`
	Features   []Feature  `xml:"feature"`
	Form       *form.Form // nil: none (XEP-0128)
}

// Identity is of a category and type that the XMPP Registrar lists. The name may
// be empty.
type Identity struct {
	Category string `xml:"category,attr"`
	Type     string `xml:"type,attr"`
	Name     string `xml:"name,attr,omitempty"`
}

// Feature is a protocol that an entity supports.
type Feature struct {
	Var string `xml:"var,attr"`
}

// Features makes a list of namespaces one of features.
func Features(namespaces ...string) []Feature {
	list := make([]Feature, len(namespaces))
	for i, ns := range namespaces {
		list[i].Var = ns
	}
	return list
}

// Items says which entities belong to one (§4). It is to be marshalled.
type Items struct {
	XMLName xml.Name `xml:"http://jabber.org/protocol/disco#items query"`
	Node    string   `xml:"node,attr,omitempty"`
	Items   []Item   `xml:"item"`
	Set     *Set     // nil: these are all
}

// Item is an address, or a node there. Name and node may be empty.
type Item struct {
	JID  string `xml:"jid,attr"`
	Name string `xml:"name,attr,omitempty"`
	Node string `xml:"node,attr,omitempty"`
}

// Set says which part of a list the items are (XEP-0059 §2).
type Set struct {
	XMLName xml.Name `xml:"http://jabber.org/protocol/rsm set"`
	First   *First   `xml:"first"` // nil: there are none
	Last    string   `xml:"last,omitempty"`
	Count   int      `xml:"count"` // of the whole list
}

// First is the first item of a part, and its place in the list.
type First struct {
	Index int    `xml:"index,attr"`
	Item  string `xml:",chardata"`
}
