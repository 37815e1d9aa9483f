package config

import "time"

// value is one setting as the file gave it. The decoder stops at the first
// value of a wrong type; this type takes anything, so that all of them are
// reported at once.
type value[T any] struct {
	given bool
	got   T
	want  string // what the file should have given; "" if it did
}

// UnmarshalTOML is called by the TOML decoder.
func (v *value[T]) UnmarshalTOML(data any) error {
	v.given = true
	var ok bool
	var want string
	switch got := any(&v.got).(type) {
	case *string:
		want = "a text in quotes"
		*got, ok = data.(string)
	case *Secret:
		want = "a text in quotes"
		got.text, ok = data.(string)
	case *int64:
		want = "a whole number"
		*got, ok = data.(int64)
	case *bool:
		want = "true or false"
		*got, ok = data.(bool)
	case *time.Time:
		want = "a date and time"
		*got, ok = data.(time.Time)
	case *[]string:
		want = "a list of texts in quotes"
		*got, ok = texts(data)
	}
	if !ok {
		v.want = want
	}
	return nil
}

func texts(data any) ([]string, bool) {
	list, ok := data.([]any)
	out := make([]string, len(list))
	for i := 0; ok && i < len(list); i++ {
		out[i], ok = list[i].(string)
	}
	return out, ok
}

// get returns what the file gave for key, or the default: also after a fault,
// so that the rest can be looked at.
func get[T any](l *loader, key string, v value[T], def T) T {
	if v.want != "" {
		l.fault(key, "", "must be %s", v.want)
		return def
	}
	if !v.given {
		return def
	}
	return v.got
}

// oneOf is get for a setting with a fixed set of values.
func oneOf[T ~string](l *loader, key string, v value[string], def T, allowed ...T) T {
	got := T(get(l, key, v, string(def)))
	for _, a := range allowed {
		if got == a {
			return got
		}
	}
	l.fault(key, "use "+alternatives(allowed), "%q is not a value of this setting", got)
	return def
}

func alternatives[T ~string](allowed []T) string {
	out := ""
	for i, a := range allowed {
		switch {
		case i == 0:
		case i == len(allowed)-1:
			out += " or "
		default:
			out += ", "
		}
		out += `"` + string(a) + `"`
	}
	return out
}

// between is get for a number with bounds, both included.
func between(l *loader, key string, v value[int64], def, lowest, highest int64) int {
	n := get(l, key, v, def)
	if n < lowest || n > highest {
		l.fault(key, "", "%d is out of bounds: from %d to %d", n, lowest, highest)
		return int(def)
	}
	return int(n)
}
