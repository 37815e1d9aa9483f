package host

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/xml"
	"slices"
	"strings"

	"xtokend/component/host/disco"
	"xtokend/component/host/form"
	"xtokend/internal/element"
)

// capsText is the text of which the hash of a client is made (XEP-0115 §5.1): what
// the client has answered about itself, each part followed by '<'. Until all is
// sorted a NUL stands for that: it comes before whatever a longer part goes on with.
func capsText(info element.Element) string {
	var identities, features, forms []string
	for _, c := range info.Children {
		switch c.Name {
		case xml.Name{Space: disco.NSInfo, Local: "identity"}:
			identity := []string{c.AttrValue("category"), c.AttrValue("type"), langOf(c), c.AttrValue("name")}
			identities = append(identities, strings.Join(identity, "\x00"))
		case xml.Name{Space: disco.NSInfo, Local: "feature"}:
			features = append(features, c.AttrValue("var")+"\x00")
		case xml.Name{Space: form.NS, Local: "x"}:
			forms = append(forms, formText(c))
		}
	}
	var b strings.Builder
	for _, i := range sorted(identities) {
		b.WriteString(strings.ReplaceAll(i, "\x00", "/") + "<")
	}
	for _, part := range append(sorted(features), sorted(forms)...) {
		b.WriteString(strings.ReplaceAll(part, "\x00", "<"))
	}
	return b.String()
}

func langOf(e element.Element) string {
	for _, a := range e.Attr {
		if a.Name.Space == "http://www.w3.org/XML/1998/namespace" && a.Name.Local == "lang" {
			return a.Value
		}
	}
	return ""
}

// formText is a form's part of the text, empty for a form that does not say what
// it is for.
func formText(x element.Element) string {
	kind := ""
	var fields []string
	for _, f := range x.Children {
		if f.Name != (xml.Name{Space: form.NS, Local: "field"}) {
			continue
		}
		var values []string
		for _, v := range f.Children {
			if v.Name == (xml.Name{Space: form.NS, Local: "value"}) {
				values = append(values, v.Text+"\x00")
			}
		}
		name := f.AttrValue("var")
		switch {
		case name != "FORM_TYPE":
			fields = append(fields, name+"\x00"+strings.Join(sorted(values), ""))
		case f.AttrValue("type") == form.Hidden && len(values) == 1:
			kind = values[0]
		}
	}
	if kind == "" {
		return ""
	}
	return kind + strings.Join(sorted(fields), "")
}

func sorted(list []string) []string {
	slices.Sort(list)
	return list
}

// interestsIn finds the interests in the text itself, and not in the answer: many
// answers have the same text, and one who chose his with care could otherwise
// speak for all others of the same hash.
func interestsIn(text string) interests {
	var list interests
	for part := range strings.SplitSeq(text, "<") {
		name, ok := strings.CutSuffix(part, "+notify")
		if ok && name != "" && len(name) <= maxNodeNameBytes && len(list) < maxInterests {
			list = append(list, strings.Clone(name))
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func capsHash(text string) string {
	sum := sha1.Sum([]byte(text))
	return base64.StdEncoding.EncodeToString(sum[:])
}
