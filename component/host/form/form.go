// Package form is data forms (XEP-0004) by which something is configured.
package form

import (
	"encoding/xml"

	"xtokend/internal/element"
)

// NS is the namespace of data forms.
const NS = "jabber:x:data"

// The types of a form.
const (
	ToFill    = "form"
	Submitted = "submit"
	Cancelled = "cancel"
	Result    = "result"
)

// The types of a field.
const (
	Hidden      = "hidden"
	Boolean     = "boolean"
	TextSingle  = "text-single"
	TextPrivate = "text-private"
	ListSingle  = "list-single"
)

// Form is a form that is sent. It is to be marshalled.
type Form struct {
	XMLName xml.Name `xml:"jabber:x:data x"`
	Type    string   `xml:"type,attr"` // ToFill or Result
	Title   string   `xml:"title,omitempty"`
	Fields  []Field  `xml:"field"`
}

// Field is one of a form's. Label, values and options may be empty.
type Field struct {
	Var     string   `xml:"var,attr"`
	Type    string   `xml:"type,attr,omitempty"`
	Label   string   `xml:"label,attr,omitempty"`
	Values  []string `xml:"value"`
	Options []Option `xml:"option"`
}

// Option is a value to choose.
type Option struct {
	Value string `xml:"value"`
}

const typeField = "FORM_TYPE"

// TypeField says what a form is for (XEP-0068).
func TypeField(ns string) Field {
	return Field{Var: typeField, Type: Hidden, Values: []string{ns}}
}

// Values returns the first value of each field of x, a form that somebody has
// submitted, by the field's name; "" for a field without a value. kind is what the
// form is for (XEP-0068), which is not among the values; "" if it does not say. ok is
// false if a field is given twice: then there are no values.
func Values(x element.Element) (kind string, values map[string]string, ok bool) {
	values = make(map[string]string)
	for _, c := range x.Children {
		name := c.AttrValue("var")
		if c.Name != (xml.Name{Space: NS, Local: "field"}) || name == "" {
			continue
		}
		if _, twice := values[name]; twice {
			return "", nil, false
		}
		value, _ := c.Child(NS, "value")
		values[name] = value.Text
	}
	kind = values[typeField]
	delete(values, typeField)
	return kind, values, true
}
