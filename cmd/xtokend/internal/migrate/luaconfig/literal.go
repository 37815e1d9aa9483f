package luaconfig

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// Literal writes a value in Lua.
func Literal(v Value) string {
	switch v := v.(type) {
	case string:
		return quote(v)
	case float64:
		return number(v)
	case *Table:
		var fields []string
		for _, item := range v.List {
			fields = append(fields, Literal(item))
		}
		for _, key := range sorted(v.Fields) {
			name := key
			if !identifier.MatchString(key) {
				name = "[" + quote(key) + "]"
			}
			fields = append(fields, name+" = "+Literal(v.Fields[key]))
		}
		if fields == nil {
			return "{}"
		}
		return "{ " + strings.Join(fields, "; ") + " }"
	}
	return fmt.Sprint(v)
}

// quote writes a string. Bytes that are no printable ASCII are written as decimal
// escapes, but those of UTF-8 are left alone.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range []byte(s) {
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c == 0x7f:
			fmt.Fprintf(&b, `\%03d`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// List returns a table of these items.
func List(items ...Value) *Table { return &Table{List: items, Fields: map[string]Value{}} }

// SetPath gives an option of a host, or what path leads to in it, another value. It
// makes the host, and the tables on the way that are missing.
func (s *Settings) SetPath(host, option string, path []string, v Value) {
	h := s.Hosts[host]
	if h == nil {
		h = &Host{Options: map[string]Value{}}
		s.Hosts[host] = h
	}
	fields := h.Options
	for _, key := range path {
		t, ok := fields[option].(*Table)
		if !ok {
			t = List()
			fields[option] = t
		}
		fields, option = t.Fields, key
	}
	fields[option] = v
}

// Prepend puts items at the front of a list, which it makes if there is none.
func (s *Settings) Prepend(host, option string, items []string) {
	t, ok := s.Own(host, option).(*Table)
	if !ok {
		t = List()
		s.SetPath(host, option, nil, t)
	}
	for i, item := range items {
		t.List = slices.Insert(t.List, i, Value(item))
	}
}

// Remove takes strings out of a list.
func (s *Settings) Remove(host, option string, items []string) {
	if t, ok := s.Own(host, option).(*Table); ok {
		t.List = slices.DeleteFunc(t.List, func(v Value) bool {
			text, ok := v.(string)
			return ok && slices.Contains(items, text)
		})
	}
}
