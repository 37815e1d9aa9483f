package e2e

import (
	"encoding/xml"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// pattern is an element that a session is to hear. The order of attributes and
// children is free, and namespaces are compared resolved. In it
//
//   - … in an attribute or text stands for anything;
//   - {{name}} there stands for what it stood for the first time, and in what is
//     sent for the same;
//   - an attribute that ends in ? may be absent;
//   - a child with the attribute maybe=” may be absent;
//   - the child <…/> stands for any other children;
//   - {{delayed}} is a stamp of delayed delivery (XEP-0203), {{delay}} one that may
//     be absent;
//   - {{error TYPE CONDITION}} is a stanza error with any text, and beside it what
//     a server may repeat of the stanza (RFC 6120 §8.3.1).
//
// Without from an element is from the user's own account (RFC 6120 §8.1.2.1), and
// where a pattern names no to it may have the session's own; a to that is the account
// may also be the session's full JID, to which the server has then delivered. Servers
// may add xml:lang (RFC 6120 §8.1.5) and what is told at maybeAdded.
type pattern struct {
	text string
	element
}

const (
	nsClient    = "jabber:client"
	anyChildren = "any-children" // <…/>, which is no name in XML
)

var errorPattern = regexp.MustCompile(`\{\{error ([a-z]+) ([a-z-]+)\}\}`)

func parsePattern(text string) (pattern, error) {
	text = errorPattern.ReplaceAllString(text,
		`<error type='$1' by='…?'><$2 xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><…/></error><…/>`)
	stamp := "<delay xmlns='urn:xmpp:delay' from='…?' stamp='…'%s>…<…/></delay>"
	text = strings.NewReplacer("{{delayed}}", fmt.Sprintf(stamp, ""), "{{delay}}", fmt.Sprintf(stamp, " maybe=''")).Replace(text)
	whole := fmt.Sprintf("<x xmlns='%s' xmlns:stream='%s'>%s</x>", nsClient, nsStreams, strings.ReplaceAll(text, "<…/>", "<"+anyChildren+"/>"))
	var outer element
	if err := xml.Unmarshal([]byte(whole), &outer); err != nil {
		return pattern{}, fmt.Errorf("%s: %w", text, err)
	}
	if len(outer.Children) != 1 {
		return pattern{}, fmt.Errorf("%s: not one element", text)
	}
	return pattern{text: text, element: outer.Children[0]}, nil
}

// match says why a stanza that a session has heard is not what the pattern says;
// nil if it is, and then bindings has what {{names}} stand for. The session has the
// full JID, empty if it has none yet, of the account.
func (p pattern) match(heard element, jid, account string, bindings map[string]string) error {
	heard.Attributes = withImpliedAddresses(heard, p.element, jid, account)
	tried := maps.Clone(bindings)
	if err := matchElement(p.element, heard, tried); err != nil {
		return err
	}
	maps.Copy(bindings, tried)
	return nil
}

// withImpliedAddresses leaves out those addresses that say no more than their
// absence, where the pattern has none.
func withImpliedAddresses(heard, want element, jid, account string) []xml.Attr {
	var kept []xml.Attr
	for _, a := range heard.Attributes {
		named := slices.ContainsFunc(want.Attributes, func(w xml.Attr) bool { return w.Name == a.Name })
		switch {
		case a.Name.Space == "" && a.Name.Local == "to" && !named && (a.Value == jid || a.Value == account):
		case a.Name.Space == "" && a.Name.Local == "from" && !named && a.Value == account:
		case a.Name.Space == "" && a.Name.Local == "to" && a.Value == jid && want.attribute("to") == account:
			a.Value = account
			kept = append(kept, a)
		default:
			kept = append(kept, a)
		}
	}
	return kept
}

func matchElement(want, got element, bindings map[string]string) error {
	if want.XMLName != got.XMLName {
		return fmt.Errorf("<%s xmlns='%s'/> is not <%s xmlns='%s'/>", got.XMLName.Local, got.XMLName.Space, want.XMLName.Local, want.XMLName.Space)
	}
	if err := matchAttributes(want, got, bindings); err != nil {
		return err
	}
	if !matchText(strings.TrimSpace(want.Text), strings.TrimSpace(got.Text), bindings) {
		return fmt.Errorf("<%s/> has the text %q, not %q", got.XMLName.Local, got.Text, want.Text)
	}
	open := false
	var children []element
	for _, child := range want.Children {
		if child.XMLName.Local == anyChildren {
			open = true
		} else {
			children = append(children, child)
		}
	}
	return matchChildren(got.XMLName.Local, children, got.Children, open, bindings)
}

func matchAttributes(want, got element, bindings map[string]string) error {
	unnamed := map[xml.Name]string{}
	for _, a := range got.Attributes {
		if a.Name.Space != "xmlns" && a.Name.Local != "xmlns" {
			unnamed[a.Name] = a.Value
		}
	}
	for _, a := range want.Attributes {
		if a.Name.Space == "xmlns" || a.Name.Local == "xmlns" || a.Name.Local == "maybe" {
			continue
		}
		value, optional := strings.CutSuffix(a.Value, "?")
		heard, ok := unnamed[a.Name]
		if !ok && !optional {
			return fmt.Errorf("<%s/> has no %s", got.XMLName.Local, a.Name.Local)
		}
		if ok && !matchText(value, heard, bindings) {
			return fmt.Errorf("<%s/> has %s='%s', not '%s'", got.XMLName.Local, a.Name.Local, heard, value)
		}
		delete(unnamed, a.Name)
	}
	delete(unnamed, xml.Name{Space: "http://www.w3.org/XML/1998/namespace", Local: "lang"})
	for name, value := range unnamed {
		return fmt.Errorf("<%s/> has %s='%s'", got.XMLName.Local, name.Local, value)
	}
	return nil
}

// matchChildren tries each order. Its lists are short, and an element rarely
// matches more than one.
func matchChildren(parent string, want, got []element, open bool, bindings map[string]string) error {
	if len(want) == 0 {
		for _, child := range got {
			if !open && !maybeAdded(child) {
				return fmt.Errorf("<%s/> has a child <%s xmlns='%s'/>", parent, child.XMLName.Local, child.XMLName.Space)
			}
		}
		return nil
	}
	first, rest := want[0], want[1:]
	reason := fmt.Errorf("<%s/> has no child <%s xmlns='%s'/>", parent, first.XMLName.Local, first.XMLName.Space)
	for i, child := range got {
		tried := maps.Clone(bindings)
		err := matchElement(first, child, tried)
		if err == nil {
			others := append(append([]element(nil), got[:i]...), got[i+1:]...)
			err = matchChildren(parent, rest, others, open, tried)
		}
		if err == nil {
			maps.Copy(bindings, tried)
			return nil
		}
		if child.XMLName == first.XMLName {
			reason = err
		}
	}
	for _, a := range first.Attributes {
		if a.Name.Local == "maybe" {
			return matchChildren(parent, rest, got, open, bindings)
		}
	}
	return reason
}

// maybeAdded says whether a server may add the element to what it passes on: the id
// that an archive gives (XEP-0359; XEP-0313 before its version 0.6), that of an
// occupant (XEP-0421), the hash of an avatar (XEP-0398), who has published an item
// (XEP-0163 §4.3.5), words about an error (RFC 6120 §8.3.2).
func maybeAdded(e element) bool {
	return e.is("urn:xmpp:sid:0", "stanza-id") || e.is("urn:xmpp:mam:tmp", "archived") ||
		e.is("urn:xmpp:occupant-id:0", "occupant-id") || e.is("vcard-temp:x:update", "x") ||
		e.is("http://jabber.org/protocol/address", "addresses") || e.is("urn:ietf:params:xml:ns:xmpp-stanzas", "text")
}

var placeholder = regexp.MustCompile(`…|\{\{[^}]+\}\}`)

// matchText compares a text with one that may hold placeholders.
func matchText(want, got string, bindings map[string]string) bool {
	if !placeholder.MatchString(want) {
		return want == got
	}
	var names []string
	expression := "(?s)^"
	last := 0
	for _, at := range placeholder.FindAllStringIndex(want, -1) {
		expression += regexp.QuoteMeta(want[last:at[0]])
		last = at[1]
		name := want[at[0]:at[1]]
		value, bound := bindings[name]
		switch {
		case name == "…":
			expression += ".*?"
		case bound:
			expression += regexp.QuoteMeta(value)
		default:
			expression += "(.+?)"
			names = append(names, name)
		}
	}
	m := regexp.MustCompile(expression + regexp.QuoteMeta(want[last:]) + "$").FindStringSubmatch(got)
	if m == nil {
		return false
	}
	for i, name := range names {
		bindings[name] = m[i+1]
	}
	return true
}

// fill puts what {{names}} stand for into a text that is to be sent.
func fill(text string, bindings map[string]string) (string, error) {
	for name, value := range bindings {
		text = strings.ReplaceAll(text, name, value)
	}
	if rest := placeholder.FindString(text); rest != "" && rest != "…" {
		return "", fmt.Errorf("%s stands for nothing yet", rest)
	}
	return text, nil
}
