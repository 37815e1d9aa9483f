package muc

import (
	"encoding/xml"

	"xtokend/internal/element"
)

// form is a data form (XEP-0004) that the service sends.
type form struct {
	XMLName      xml.Name `xml:"jabber:x:data x"`
	Type         string   `xml:"type,attr"`
	Title        string   `xml:"title,omitempty"`
	Instructions string   `xml:"instructions,omitempty"`
	Fields       []field  `xml:"field"`
}

type field struct {
	Var     string   `xml:"var,attr"`
	Type    string   `xml:"type,attr,omitempty"`
	Label   string   `xml:"label,attr,omitempty"`
	Values  []string `xml:"value"`
	Options []option `xml:"option"`
}

type option struct {
	Value string `xml:"value"`
}

// formType is the field that says what a form is for (XEP-0068).
func formType(ns string) field {
	return field{Var: "FORM_TYPE", Type: "hidden", Values: []string{ns}}
}

// submitted is the first value of each field of a form that a client has sent,
// by the field's name. A field without a value is empty.
func submitted(x element.Element) map[string]string {
	values := make(map[string]string)
	for _, c := range x.Children {
		if name := c.AttrValue("var"); c.Name == (xml.Name{Space: nsForm, Local: "field"}) && name != "" {
			value, _ := c.Child(nsForm, "value")
			values[name] = value.Text
		}
	}
	return values
}
