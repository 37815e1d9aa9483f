package form_test

import (
	"bytes"
	"encoding/xml"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"mellium.im/xmlstream"
	mellium "mellium.im/xmpp/form"

	"xtokend/component/host/form"
	"xtokend/internal/element"
)

type tea struct {
	milk       bool
	name, kind string
}

var teaSettings = []form.Setting[tea]{
	form.Switch("milk", "With milk", func(t *tea) *bool { return &t.milk }),
	form.Text("name", "For whom", 5, func(t *tea) *string { return &t.name }),
	form.Choice("kind", "Which", []string{"green", "black"}, func(t *tea) *string { return &t.kind }),
}

// A form is read and filled in by mellium's code, and what that submits is
// understood.
func TestAFormIsFilledIn(t *testing.T) {
	was := tea{milk: true, name: "<Bob>", kind: "green"}
	f := form.Form{Type: form.ToFill, Title: "Tea", Fields: []form.Field{form.TypeField("urn:tea")}}
	for _, s := range teaSettings {
		f.Fields = append(f.Fields, s.Field(&was))
	}
	text, err := xml.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	var seen mellium.Data
	if err := xml.Unmarshal(text, &seen); err != nil {
		t.Fatal(err)
	}
	milk, _ := seen.GetBool("milk")
	name, _ := seen.GetString("name")
	kind, _ := seen.GetString("kind")
	if got := (tea{milk, name, kind}); got != was || seen.Title() != "Tea" {
		t.Errorf("%q is read as %v", text, got)
	}
	kinds, _ := seen.GetOptions("kind")
	if diff := cmp.Diff([]mellium.FieldOpt{{Value: "green"}, {Value: "black"}}, kinds); diff != "" {
		t.Error(diff)
	}

	for field, value := range map[string]any{"milk": false, "name": "Carol", "kind": "black"} {
		if ok, err := seen.Set(field, value); !ok || err != nil {
			t.Fatalf("%s: %v, %v", field, ok, err)
		}
	}
	r, ok := seen.Submit()
	if !ok {
		t.Fatal("not submitted")
	}
	var b bytes.Buffer
	e := xml.NewEncoder(&b)
	if _, err := xmlstream.Copy(e, r); err != nil || e.Flush() != nil {
		t.Fatal(err)
	}
	x, err := element.Parse(b.Bytes(), element.Header{})
	if err != nil {
		t.Fatal(err)
	}
	purpose, values, ok := form.Values(x)
	var is tea
	for _, s := range teaSettings {
		if !s.Set(&is, values[s.Var]) {
			t.Errorf("%s=%q is refused", s.Var, values[s.Var])
		}
	}
	if want := (tea{false, "Carol", "black"}); !ok || purpose != "urn:tea" || is != want || len(values) != 3 {
		t.Errorf("%s is understood as %q, %v", b.Bytes(), purpose, values)
	}
}

func TestValues(t *testing.T) {
	for _, tc := range []struct {
		name, x, kind string
		values        map[string]string
	}{
		{name: "empty", x: "<x xmlns='jabber:x:data'/>", values: map[string]string{}},
		{name: "no value", x: "<x xmlns='jabber:x:data'><field var='a'/><field var='b'><value/></field></x>", values: map[string]string{"a": "", "b": ""}},
		{name: "several values", x: "<x xmlns='jabber:x:data'><field var='a'><value>1</value><value>2</value></field></x>", values: map[string]string{"a": "1"}},
		{name: "no name", x: "<x xmlns='jabber:x:data'><field><value>1</value></field></x>", values: map[string]string{}},
		{name: "not fields", x: "<x xmlns='jabber:x:data'><field xmlns='urn:x' var='a'><value>1</value></field><title/></x>", values: map[string]string{}},
		{name: "a field twice", x: "<x xmlns='jabber:x:data'><field var='a'><value>1</value></field><field var='b'/><field var='a'/></x>"},
		{name: "purpose twice", x: "<x xmlns='jabber:x:data'><field var='FORM_TYPE'><value>urn:tea</value></field><field var='FORM_TYPE'/></x>"},
		{name: "purpose", x: "<x xmlns='jabber:x:data'><field var='FORM_TYPE'><value>urn:tea</value></field></x>", kind: "urn:tea", values: map[string]string{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			x, err := element.Parse([]byte(tc.x), element.Header{})
			if err != nil {
				t.Fatal(err)
			}
			kind, values, ok := form.Values(x)
			if diff := cmp.Diff(tc.values, values); diff != "" || kind != tc.kind || ok != (tc.values != nil) {
				t.Errorf("%v, %q %s", ok, kind, diff)
			}
		})
	}
}

func TestSettingsRefuse(t *testing.T) {
	for _, tc := range []struct {
		setting  int
		value    string
		possible bool
	}{
		{0, "1", true}, {0, "true", true}, {0, "0", true}, {0, "false", true}, {0, "TRUE", false}, {0, "", false},
		{1, "", true}, {1, "12345", true}, {1, "123456", false},
		{2, "green", true}, {2, "", false}, {2, "white", false},
	} {
		s := teaSettings[tc.setting]
		if got := s.Set(&tea{}, tc.value); got != tc.possible {
			t.Errorf("%s=%s: %v", s.Var, strings.TrimSpace(tc.value), got)
		}
	}
}
