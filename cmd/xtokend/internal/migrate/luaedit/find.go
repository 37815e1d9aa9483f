package luaedit

import (
	"errors"
	"slices"
	"strconv"
)

// Reasons why a place is not changed.
var (
	ErrNotFound = errors.New("it is not a plain assignment outside of any block")
	ErrComputed = errors.New("its value is computed")
	ErrNoTable  = errors.New("its value is no table")
)

// span is a run of tokens, the last one excluded.
type span struct{ from, to int }

// item is one field of a table constructor.
type item struct {
	span
	key       string // "": it has a place in the list
	value     span
	separator bool // one stands behind it
}

// at returns the token i, an empty one behind the last.
func (f *File) at(i int) token {
	if i >= 0 && i < len(f.tokens) {
		return f.tokens[i]
	}
	return token{start: len(f.source), end: len(f.source)}
}

// topLevel calls visit for each token outside of all blocks, brackets and tables,
// until it returns false. What opens a loop is its do.
func (f *File) topLevel(visit func(i int) bool) {
	depth := 0
	for i, t := range f.tokens {
		switch t.source {
		case "(", "[", "{", "function", "if", "do", "repeat":
			if depth == 0 && !visit(i) {
				return
			}
			depth++
			continue
		case ")", "]", "}", "end", "until":
			depth--
			continue
		}
		if depth == 0 && !visit(i) {
			return
		}
	}
}

// assignment finds the value that option is given on a line, outside of any block.
func (f *File) assignment(option string, line int) (span, error) {
	found := -1
	f.topLevel(func(i int) bool {
		t := f.tokens[i]
		if t.kind == name && t.source == option && t.line == line && f.at(i+1).source == "=" && f.startsStatement(i) {
			found = i + 2
		}
		return true
	})
	if found < 0 {
		return span{}, ErrNotFound
	}
	return f.value(found, false)
}

// startsStatement reports whether the name at i is the first word of a statement:
// local a = 1, a.b = 1 and a, b = 1, 2 set something else.
func (f *File) startsStatement(i int) bool {
	return i == 0 || !slices.Contains([]string{"local", ".", ":", ",", "function", "goto", "::"}, f.tokens[i-1].source)
}

// value takes a literal or a table constructor that begins at i. Whatever may go on
// behind it makes it an expression.
func (f *File) value(i int, inTable bool) (span, error) {
	first := f.at(i)
	v := span{i, i + 1}
	switch {
	case first.source == "{":
		v.to = f.matching(i) + 1
	case first.kind == text, first.kind == number, first.source == "true", first.source == "false", first.source == "nil":
	default:
		return v, ErrComputed
	}
	next := f.at(v.to)
	switch {
	case next.source == "" || next.source == ";":
	case inTable && (next.source == "," || next.source == "}"):
	case !inTable && next.kind == name && next.source != "and" && next.source != "or":
	default:
		return v, ErrComputed
	}
	return v, nil
}

// matching returns the token that closes the bracket at i.
func (f *File) matching(i int) int {
	depth := 0
	for ; i < len(f.tokens); i++ {
		if f.tokens[i].kind != punctuation {
			continue
		}
		switch f.tokens[i].source {
		case "{", "(", "[":
			depth++
		case "}", ")", "]":
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return len(f.tokens) - 1
}

// items takes a table constructor apart.
func (f *File) items(table span) []item {
	var items []item
	for i := table.from + 1; i < table.to-1; {
		it := item{span: span{from: i}}
		switch {
		case f.at(i).kind == name && f.at(i+1).source == "=":
			it.key = f.at(i).source
			i += 2
		case f.at(i).source == "[" && f.at(i).kind == punctuation:
			closing := f.matching(i)
			it.key = "[" // unless it is a string
			if key, err := unquote(f.at(i + 1)); err == nil && closing == i+2 {
				it.key = key
			}
			i = closing + 2
		}
		it.value.from = i
		for i < table.to-1 && f.at(i).source != "," && f.at(i).source != ";" {
			switch source := f.at(i).source; {
			case f.at(i).kind == punctuation && (source == "{" || source == "(" || source == "["):
				i = f.matching(i) + 1
			case source == "function":
				i = f.functionEnd(i)
			default:
				i++
			}
		}
		it.value.to = i
		if it.separator = i < table.to-1; it.separator {
			i++
		}
		it.to = i
		items = append(items, it)
	}
	return items
}

// functionEnd returns the token behind the end of the function at i.
func (f *File) functionEnd(i int) int {
	depth := 0
	for ; i < len(f.tokens); i++ {
		switch f.tokens[i].source {
		case "function", "if", "do", "repeat":
			depth++
		case "end", "until":
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return i
}

// hostStatement finds VirtualHost "…" on a line. It returns the tokens up to the
// name's end, and the table of options behind it, if there is one.
func (f *File) hostStatement(line int) (statement span, options *span, err error) {
	found := -1
	f.topLevel(func(i int) bool {
		if f.tokens[i].line == line && slices.Contains([]string{"VirtualHost", "Host", "host"}, f.tokens[i].source) {
			found = i
			return false
		}
		return true
	})
	if found < 0 {
		return span{}, nil, ErrNotFound
	}
	statement = span{found, found + 2}
	switch argument := f.at(found + 1); {
	case argument.kind == text:
	case argument.source == "(" && f.at(found+2).kind == text && f.at(found+3).source == ")":
		statement.to = found + 4
	default:
		return span{}, nil, ErrComputed
	}
	if f.at(statement.to).source == "{" {
		options = &span{statement.to, f.matching(statement.to) + 1}
	}
	return statement, options, nil
}

// firstHost returns the first word of the statement outside of any block in which the
// first host begins; the number of tokens if there is no host.
func (f *File) firstHost() int {
	depth, statement := 0, 0
	inLoop := false // between for or while and its do, which opens the block
	for i, t := range f.tokens {
		if f.isHost(i) && depth > 0 {
			return statement
		}
		if f.isHost(i) {
			return i
		}
		opens := slices.Contains([]string{"do", "if", "repeat", "function"}, t.source)
		loops := t.source == "for" || t.source == "while"
		if (opens || loops) && depth == 0 && !inLoop {
			statement = i
			if f.at(i-1).source == "local" {
				statement--
			}
		}
		switch {
		case loops:
			inLoop = true
		case t.source == "do":
			inLoop = false
			depth++
		case opens:
			depth++
		case t.source == "end" || t.source == "until":
			depth--
		}
	}
	return len(f.tokens)
}

// isHost reports whether the token i begins the statement of a host or component.
func (f *File) isHost(i int) bool {
	return slices.Contains([]string{"VirtualHost", "Host", "host", "Component", "component"}, f.tokens[i].source) &&
		f.startsStatement(i) && f.at(i+1).source != "="
}

// unquote returns what a string without escapes holds.
func unquote(t token) (string, error) {
	if t.kind != text {
		return "", strconv.ErrSyntax
	}
	if n := longBracket(t.source); n > 0 {
		return t.source[n : len(t.source)-n], nil
	}
	inner := t.source[1 : len(t.source)-1]
	for i := range len(inner) {
		if inner[i] == '\\' {
			return "", ErrComputed
		}
	}
	return inner, nil
}
