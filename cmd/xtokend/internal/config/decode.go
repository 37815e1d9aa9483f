package config

import (
	"errors"
	"fmt"
	"regexp"
	"sort"
	"unicode"

	"github.com/BurntSushi/toml"
)

// decode parses the file's text. ok is false if it is so wrong that its
// settings cannot be looked at.
func (l *loader) decode(text string) (*rawFile, bool) {
	var tree map[string]any
	if _, err := toml.Decode(text, &tree); err != nil {
		l.syntax(err)
		return nil, false
	}
	before := len(l.faults)
	shapely := l.table("", "", tree)
	found := l.faults[before:]
	sort.SliceStable(found, func(i, j int) bool { return found[i].Key < found[j].Key })
	if !shapely {
		return nil, false
	}
	var raw rawFile
	if _, err := toml.Decode(text, &raw); err != nil {
		l.syntax(err)
		return nil, false
	}
	return &raw, true
}

// quotation matches what the TOML parser quotes from the file, and numbers: an
// unquoted secret would be among them.
var quotation = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\S*[0-9]\S*`)

// hide leaves single quoted characters as they are.
func hide(quoted string) string {
	if len(quoted) <= len(`'\n'`) && !unicode.IsDigit(rune(quoted[0])) {
		return quoted
	}
	return "…"
}

// syntax reports a file that is not TOML, without any of its text.
func (l *loader) syntax(err error) {
	var parse toml.ParseError
	if !errors.As(err, &parse) {
		l.fault("", "", "is not valid TOML")
		return
	}
	l.fault("", `texts are written in quotes, tables as [name] or [[name]] on a line of their own`,
		"line %d, column %d is not valid TOML: %s", parse.Position.Line, parse.Position.Col, quotation.ReplaceAllStringFunc(parse.Message, hide))
}

// table compares a table of the file with the schema and reports unknown keys.
// place is its path without indexes and path the same with them, each ending
// in a dot unless empty. It returns false if a table stands where a value or
// another kind of table belongs.
func (l *loader) table(place, path string, tree map[string]any) bool {
	ok := true
	for key, v := range tree {
		kind, known := schema[place+key]
		if !known {
			l.unknown(place, path, key)
			continue
		}
		switch kind {
		case kindTable:
			sub, is := v.(map[string]any)
			if !is {
				l.fault(path+key, fmt.Sprintf("write [%s] on a line of its own", place+key), "must be a table")
				ok = false
				continue
			}
			ok = l.table(place+key+".", path+key+".", sub) && ok
		case kindTables:
			subs, is := v.([]map[string]any)
			if !is {
				l.fault(path+key, fmt.Sprintf("write [[%s]], with two brackets, on a line of its own before each", place+key), "must be a list of tables")
				ok = false
				continue
			}
			for i, sub := range subs {
				ok = l.table(place+key+".", fmt.Sprintf("%s%s[%d].", path, key, i), sub) && ok
			}
		}
	}
	return ok
}
