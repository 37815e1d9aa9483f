// Package luaconfig evaluates the settings of Prosody, which are a Lua program,
// into a plain model, and remembers where each of them was written.
package luaconfig

import (
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// Global is the name under which the settings of the whole server are kept.
const Global = "*"

// Defined is the option that every virtual host has. Its place is that of VirtualHost.
const Defined = "defined"

// Settings is what a configuration says.
type Settings struct {
	// Hosts are virtual hosts, components and [Global], by prepared name.
	Hosts map[string]*Host
	// Order names the hosts in the order in which they were first written.
	Order []string
	// Files are all that were read as settings, the first one first.
	Files []File
}

// File is a file of settings and what it held.
type File struct{ Path, Text string }

// Host is what was set for one host, and for that host only.
type Host struct {
	Options map[string]Value
	// Places say where each option was set last. Options that a constructor gave
	// (VirtualHost "name" { … }) have none.
	Places map[string]Place
}

// Place is a line in a file, counted from 1.
type Place struct {
	Path string
	Line int
}

// String returns PATH:LINE.
func (p Place) String() string { return p.Path + ":" + strconv.Itoa(p.Line) }

// Value is a value of Lua: string, float64, bool, *Table, or Opaque.
type Value any

// Table is a table of Lua: what is in 1 to n, and what is elsewhere.
type Table struct {
	List   []Value
	Fields map[string]Value // by the key's text
}

// Opaque is a value that is no data, by its type: "function", say.
type Opaque string

// Get returns an option of a host as Prosody does: the host's own, else the
// global one; nil if neither is set.
func (s *Settings) Get(host, option string) Value {
	if h := s.Hosts[host]; h != nil {
		if v, ok := h.Options[option]; ok {
			return v
		}
	}
	if host == Global {
		return nil
	}
	return s.Get(Global, option)
}

// Own returns an option that is set for that host itself, nil if it is not.
func (s *Settings) Own(host, option string) Value {
	if h := s.Hosts[host]; h != nil {
		return h.Options[option]
	}
	return nil
}

// Place returns where an option of that host itself was written.
func (s *Settings) Place(host, option string) (Place, bool) {
	h := s.Hosts[host]
	if h == nil {
		return Place{}, false
	}
	p, ok := h.Places[option]
	return p, ok
}

// Strings returns the strings of a list, or a lone string as a list of one, as
// Prosody's own functions for lists take both.
func Strings(v Value) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case float64:
		return []string{number(v)}
	case *Table:
		var list []string
		for _, item := range v.List {
			list = append(list, Strings(item)...)
		}
		return list
	}
	return nil
}

// Canonical writes all settings as a text that is the same for equal ones: a
// line for each option, hosts and options sorted.
func (s *Settings) Canonical() string {
	var b strings.Builder
	for _, name := range sorted(s.Hosts) {
		options := s.Hosts[name].Options
		for _, option := range sorted(options) {
			fmt.Fprintf(&b, "%s %s = ", name, option)
			canonical(&b, options[option])
			b.WriteByte('\n')
		}
	}
	return b.String()
}

func canonical(b *strings.Builder, v Value) {
	switch v := v.(type) {
	case string:
		fmt.Fprintf(b, "%q", v)
	case float64:
		b.WriteString(number(v))
	case *Table:
		b.WriteString("{")
		for _, item := range v.List {
			canonical(b, item)
			b.WriteString(";")
		}
		for _, key := range sorted(v.Fields) {
			fmt.Fprintf(b, "%s=", key)
			canonical(b, v.Fields[key])
			b.WriteString(";")
		}
		b.WriteString("}")
	default:
		fmt.Fprint(b, v)
	}
}

// Clone returns a copy whose values can be changed. Places are left out.
func (s *Settings) Clone() *Settings {
	c := &Settings{Hosts: map[string]*Host{}, Order: slices.Clone(s.Order), Files: slices.Clone(s.Files)}
	for name, host := range s.Hosts {
		options := map[string]Value{}
		for option, v := range host.Options {
			options[option] = clone(v)
		}
		c.Hosts[name] = &Host{Options: options}
	}
	return c
}

func clone(v Value) Value {
	t, ok := v.(*Table)
	if !ok {
		return v
	}
	c := &Table{Fields: map[string]Value{}}
	for _, item := range t.List {
		c.List = append(c.List, clone(item))
	}
	for key, item := range t.Fields {
		c.Fields[key] = clone(item)
	}
	return c
}

// number writes a number without needless decimals, as Lua's %.14g does.
func number(f float64) string { return strconv.FormatFloat(f, 'g', 14, 64) }

func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}
