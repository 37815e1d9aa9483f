package form

import "slices"

// Setting is a field by which a C is configured.
type Setting[C any] struct {
	Var, Type, Label string
	Options          []string // of a ListSingle
	Get              func(*C) string
	Set              func(c *C, value string) bool // false: there is no such value
}

// Field is the field with the value that c has.
func (s Setting[C]) Field(c *C) Field {
	f := Field{Var: s.Var, Type: s.Type, Label: s.Label, Values: []string{s.Get(c)}}
	for _, o := range s.Options {
		f.Options = append(f.Options, Option{o})
	}
	return f
}

// Switch is a setting that is on or off (XEP-0004 §3.3).
func Switch[C any](variable, label string, at func(*C) *bool) Setting[C] {
	return Setting[C]{
		Var: variable, Type: Boolean, Label: label,
		Get: func(c *C) string { return Bit(*at(c)) },
		Set: func(c *C, value string) bool {
			*at(c) = value == "1" || value == "true"
			return *at(c) || value == "0" || value == "false"
		},
	}
}

// Bit is the value of a Boolean.
func Bit(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

// Text is a setting of at most that many bytes.
func Text[C any](variable, label string, most int, at func(*C) *string) Setting[C] {
	return Setting[C]{
		Var: variable, Type: TextSingle, Label: label,
		Get: func(c *C) string { return *at(c) },
		Set: func(c *C, value string) bool {
			*at(c) = value
			return len(value) <= most
		},
	}
}

// Choice is a setting that is one of the options.
func Choice[C any](variable, label string, options []string, at func(*C) *string) Setting[C] {
	return Setting[C]{
		Var: variable, Type: ListSingle, Label: label, Options: options,
		Get: func(c *C) string { return *at(c) },
		Set: func(c *C, value string) bool {
			*at(c) = value
			return slices.Contains(options, value)
		},
	}
}
