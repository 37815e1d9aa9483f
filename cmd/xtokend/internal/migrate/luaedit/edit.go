package luaedit

import (
	"slices"
	"strings"
)

// File is a file of settings that is being changed. It is not safe for use by
// several goroutines.
type File struct {
	source string
	tokens []token
	edits  []edit
}

// edit puts text in the place of what is between two bytes of the source.
type edit struct {
	start, end int
	text       string
}

// Parse takes the text of a file apart.
func Parse(source string) (*File, error) {
	tokens, err := scan(source)
	if err != nil {
		return nil, err
	}
	return &File{source: source, tokens: tokens}, nil
}

// String returns the text with all changes.
func (f *File) String() string {
	edits := slices.Clone(f.edits)
	slices.SortStableFunc(edits, func(a, b edit) int { return a.start - b.start })
	var b strings.Builder
	at := 0
	for _, e := range edits {
		if e.start < at {
			continue // it is inside of what another has taken out
		}
		b.WriteString(f.source[at:e.start])
		b.WriteString(e.text)
		at = e.end
	}
	b.WriteString(f.source[at:])
	return b.String()
}

func (f *File) replace(start, end int, text string) {
	f.edits = append(f.edits, edit{start, end, text})
}

// Place says where an option stands: in an assignment on a line, or among the
// options behind the VirtualHost on that line.
type Place struct {
	Line   int
	Inside bool // of the table behind VirtualHost
}

// find returns the value of an option.
func (f *File) find(option string, p Place) (span, error) {
	if !p.Inside {
		return f.assignment(option, p.Line)
	}
	_, options, err := f.hostStatement(p.Line)
	if err != nil {
		return span{}, err
	}
	if options == nil {
		return span{}, ErrNotFound
	}
	return f.field(*options, option)
}

// field returns the value of a key in a table; ErrNotFound if it has none.
func (f *File) field(table span, key string) (span, error) {
	found, err := span{}, ErrNotFound
	for _, it := range f.items(table) {
		if it.key == key {
			found, err = f.value(it.value.from, true) // the last one counts
		}
	}
	return found, err
}

// Set gives an option, or what path leads to in the table that it is, another
// value, which is written as Lua.
func (f *File) Set(option string, p Place, path []string, value string) error {
	v, err := f.find(option, p)
	if err != nil {
		return err
	}
	for i, key := range path {
		if f.at(v.from).source != "{" {
			return ErrNoTable
		}
		inner, err := f.field(v, key)
		switch err {
		case nil:
			v = inner
		case ErrNotFound:
			// The keys that are left make tables of their own.
			for _, outer := range slices.Backward(path[i+1:]) {
				value = "{ " + outer + " = " + value + " }"
			}
			f.insert(v, key+" = "+value)
			return nil
		default:
			return err
		}
	}
	f.replace(f.at(v.from).start, f.at(v.to-1).end, value)
	return nil
}

// Add puts items, written in Lua, at the front of the list that an option is.
func (f *File) Add(option string, p Place, items []string) error {
	v, err := f.find(option, p)
	if err != nil {
		return err
	}
	if f.at(v.from).source != "{" {
		return ErrNoTable
	}
	for _, item := range items {
		f.insert(v, item)
	}
	return nil
}

// insert puts a field at the front of a table.
func (f *File) insert(table span, field string) {
	at := f.at(table.from).end
	if table.from+1 < table.to-1 && f.at(table.from+1).line > f.at(table.from).line {
		// One field a line: on a line of its own, as far in as the first one.
		first := f.at(table.from + 1)
		indent := f.source[lineStart(f.source, first.start):first.start]
		f.replace(lineEnd(f.source, at), lineEnd(f.source, at), "\n"+indent+field+";")
		return
	}
	f.replace(at, at, " "+field+";")
}

// Remove takes strings out of the list that an option is: all that it holds of
// them. Unless each is found as a literal nothing is changed.
func (f *File) Remove(option string, p Place, strings []string) error {
	v, err := f.find(option, p)
	if err != nil {
		return err
	}
	if f.at(v.from).source != "{" {
		return ErrNoTable
	}
	var items []item
	found := map[string]bool{}
	for _, it := range f.items(v) {
		if it.key != "" || it.value.to != it.value.from+1 {
			continue
		}
		if s, err := unquote(f.at(it.value.from)); err == nil && slices.Contains(strings, s) {
			found[s] = true
			items = append(items, it)
		}
	}
	if len(found) < len(strings) {
		return ErrComputed
	}
	for _, it := range items {
		f.removeItem(it)
	}
	return nil
}

// removeItem takes a field out. One that has a line for itself goes with the line,
// and with what a comment behind it says of it.
func (f *File) removeItem(it item) {
	start, end := f.at(it.from).start, f.at(it.to-1).end
	before := f.source[lineStart(f.source, start):start]
	eol := lineEnd(f.source, end)
	behind := strings.TrimSpace(f.source[end:eol])
	isComment := strings.HasPrefix(behind, "--") && longBracket(behind[2:]) == 0
	if strings.TrimSpace(before) == "" && (behind == "" || isComment) && eol < len(f.source) {
		f.replace(start-len(before), eol+1, "")
		return
	}
	for end < len(f.source) && f.source[end] == ' ' {
		end++
	}
	f.replace(start, end, "")
}

// InsertGlobal puts lines where they are for the whole server: behind the last
// statement that stands before the first host.
func (f *File) InsertGlobal(lines string) {
	f.insertBehind(f.firstHost()-1, lines)
}

// InsertHost puts options into the host whose VirtualHost is on a line. Each is
// written NAME = VALUE.
func (f *File) InsertHost(line int, options []string) error {
	statement, table, err := f.hostStatement(line)
	if err != nil {
		return err
	}
	if table != nil {
		for _, option := range options {
			f.insert(*table, option)
		}
		return nil
	}
	f.insertBehind(statement.to-1, "\t"+strings.Join(options, "\n\t")+"\n")
	return nil
}

// Append puts lines behind the last statement.
func (f *File) Append(lines string) { f.insertBehind(len(f.tokens)-1, lines) }

// insertBehind puts whole lines behind the line that a token is on.
func (f *File) insertBehind(i int, lines string) {
	if i < 0 {
		f.replace(0, 0, lines)
		return
	}
	at := f.at(i).end
	if i+1 < len(f.tokens) && f.tokens[i+1].line == f.endLine(i) || f.commentGoesOn(at) {
		// The next statement is on the same line, or a comment is that ends on another.
		f.replace(at, at, "\n"+lines)
		return
	}
	at = lineEnd(f.source, at)
	if at == len(f.source) {
		f.replace(at, at, "\n"+strings.TrimSuffix(lines, "\n"))
		return
	}
	f.replace(at+1, at+1, lines)
}

// commentGoesOn reports whether a comment that begins between at and the end of its line,
// with nothing but comments before it, ends on another line.
func (f *File) commentGoesOn(at int) bool {
	for eol := lineEnd(f.source, at); at < eol; {
		switch {
		case !strings.HasPrefix(f.source[at:], "--"):
			at++ // white space
		case commentEnd(f.source, at) > eol:
			return true
		default:
			at = commentEnd(f.source, at)
		}
	}
	return false
}

// endLine returns the line that a token ends on.
func (f *File) endLine(i int) int {
	return f.tokens[i].line + strings.Count(f.tokens[i].source, "\n")
}
