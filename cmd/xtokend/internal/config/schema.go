package config

import (
	"reflect"
	"slices"
	"strings"
)

type kind int

const (
	kindValue kind = iota
	kindTable
	kindTables // an array of tables
)

// schema holds every key that the raw types name, by its path without indexes.
var schema = makeSchema(map[string]kind{}, "", reflect.TypeFor[rawFile]())

// makeSchema adds the keys of a raw type at place to s and returns it. The type
// tells a table (struct, or pointer to one that may be absent), a list of tables
// (slice) and a value apart.
func makeSchema(s map[string]kind, place string, t reflect.Type) map[string]kind {
	for i := range t.NumField() {
		field := t.Field(i)
		key := place + field.Tag.Get("toml")
		ft := field.Type
		k := kindTable
		switch {
		case ft.Kind() == reflect.Slice:
			k, ft = kindTables, ft.Elem()
		case ft.Kind() == reflect.Pointer:
			ft = ft.Elem()
		case reflect.PointerTo(ft).Implements(reflect.TypeFor[interface{ UnmarshalTOML(any) error }]()):
			k = kindValue
		}
		s[key] = k
		if k != kindValue {
			makeSchema(s, key+".", ft)
		}
	}
	return s
}

// unknown reports a key that the schema does not have.
func (l *loader) unknown(place, path, key string) {
	hint := ""
	if near := nearest(place, key); near != "" {
		hint = "did you mean " + near + "?"
	}
	l.fault(path+key, hint, "unknown key")
}

// nearest returns the known key that an unknown one was meant to be: the most
// like it in the same table, or one of its name in another; "" if there is none.
func nearest(place, key string) string {
	key = strings.ToLower(key)
	best, distance := "", 1+max(1, len(key)/3)
	var elsewhere []string
	for known, k := range schema {
		name := lastPart(known)
		table := strings.TrimSuffix(known, name)
		if table == place {
			if d := editDistance(key, name); d < distance || d == distance && name < best {
				best, distance = name, d
			}
		} else if name == key && k == kindValue {
			elsewhere = append(elsewhere, name+" of "+header(table))
		}
	}
	if best == "" && len(elsewhere) > 0 {
		best = slices.Min(elsewhere)
	}
	return best
}

// header returns how the file announces a table given as "domain.server.".
func header(table string) string {
	name := strings.TrimSuffix(table, ".")
	switch {
	case name == "":
		return "the top of the file, before any table"
	case schema[name] == kindTables:
		return "[[" + name + "]]"
	}
	return "[" + name + "]"
}

// editDistance is Levenshtein's.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
