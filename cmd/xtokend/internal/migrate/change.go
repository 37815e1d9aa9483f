package migrate

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"xtokend/cmd/xtokend/internal/migrate/luaconfig"
	"xtokend/cmd/xtokend/internal/migrate/luaedit"
)

// change is one thing to change in Prosody's settings.
type change struct {
	host, option string
	path         []string        // into the table that the option is
	value        luaconfig.Value // what is set; nil: see add and remove
	add          []string        // items that a list is to begin with
	remove       []string        // items that a list is not to have
}

// apply makes the change in the model.
func (c *change) apply(s *luaconfig.Settings) {
	switch {
	case c.add != nil:
		s.Prepend(c.host, c.option, c.add)
	case c.remove != nil:
		s.Remove(c.host, c.option, c.remove)
	default:
		s.SetPath(c.host, c.option, c.path, c.value)
	}
}

// line is the change as somebody would write it who does so by hand.
func (c *change) line() string {
	switch {
	case c.add != nil:
		return fmt.Sprintf("%s: add %s", c.option, strings.Join(literals(c.add), ", "))
	case c.remove != nil:
		return fmt.Sprintf("%s: take out %s", c.option, strings.Join(literals(c.remove), ", "))
	}
	return strings.Join(append([]string{c.option}, c.path...), ".") + " = " + luaconfig.Literal(c.value)
}

func literals(items []string) []string {
	written := make([]string, len(items))
	for i, item := range items {
		written[i] = luaconfig.Literal(item)
	}
	return written
}

// ByHand is a change that nobody but the administrator can make.
type ByHand struct {
	Place string // PATH:LINE where the option stands, or PATH
	Host  string // "*": the whole server
	Line  string // what is to be written
	Why   string
}

// editor changes the texts of Prosody's settings.
type editor struct {
	settings *luaconfig.Settings
	main     string // path of the first file
	files    map[string]*luaedit.File
	expected *luaconfig.Settings
	byHand   []ByHand
	global   []string            // new options of the whole server
	hosts    map[string][]string // new options by host
}

func newEditor(s *luaconfig.Settings) (*editor, error) {
	e := &editor{
		settings: s, main: s.Files[0].Path, files: map[string]*luaedit.File{},
		expected: s.Clone(), hosts: map[string][]string{},
	}
	for _, f := range s.Files {
		parsed, err := luaedit.Parse(f.Text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Path, err)
		}
		e.files[f.Path] = parsed
	}
	return e, nil
}

// make makes a change where its option stands, or adds the option. What it cannot
// change safely is left for the administrator.
func (e *editor) make(c change) {
	if e.settings.Own(c.host, c.option) == nil {
		e.addOption(c)
		return
	}
	path, place := e.place(c.host, c.option)
	file := e.files[path]
	var err error
	switch {
	case file == nil:
		err = luaedit.ErrNotFound
	case c.add != nil:
		err = file.Add(c.option, place, literals(c.add))
	case c.remove != nil:
		err = file.Remove(c.option, place, c.remove)
	default:
		err = file.Set(c.option, place, c.path, luaconfig.Literal(c.value))
	}
	if err != nil {
		e.refuse(&c, path, place.Line, err)
		return
	}
	c.apply(e.expected)
}

// addOption notes an option that is not there yet: those of one place are written
// together.
func (e *editor) addOption(c change) {
	c.apply(e.expected)
	line := c.option + " = " + luaconfig.Literal(e.expected.Own(c.host, c.option))
	if c.host == luaconfig.Global {
		e.global = append(e.global, line)
		return
	}
	e.hosts[c.host] = append(e.hosts[c.host], line)
}

// place returns where an option stands: in an assignment, or in the table behind
// its VirtualHost.
func (e *editor) place(host, option string) (path string, place luaedit.Place) {
	if p, ok := e.settings.Place(host, option); ok {
		return p.Path, luaedit.Place{Line: p.Line}
	}
	p, _ := e.settings.Place(host, luaconfig.Defined)
	return p.Path, luaedit.Place{Line: p.Line, Inside: true}
}

func (e *editor) refuse(c *change, path string, line int, err error) {
	place := path
	if line > 0 {
		place = luaconfig.Place{Path: path, Line: line}.String()
	}
	e.byHand = append(e.byHand, ByHand{Place: place, Host: c.host, Line: c.line(), Why: err.Error()})
}

// finish writes what is new, and more at the end of the first file. It returns the
// files that have changed.
func (e *editor) finish(more string) []File {
	if e.global != nil {
		e.files[e.main].InsertGlobal("\n-- xtokend stands before the clients' port.\n" + strings.Join(e.global, "\n") + "\n")
	}
	for _, host := range e.settings.Order {
		if options := e.hosts[host]; options != nil {
			e.insertHost(host, options)
		}
	}
	e.files[e.main].Append(more)
	var changed []File
	for _, f := range e.settings.Files {
		if after := e.files[f.Path].String(); after != f.Text {
			changed = append(changed, File{Path: f.Path, Before: f.Text, After: after})
		}
	}
	return changed
}

func (e *editor) insertHost(host string, options []string) {
	p, _ := e.settings.Place(host, luaconfig.Defined)
	err := luaedit.ErrNotFound
	if file := e.files[p.Path]; file != nil {
		err = file.InsertHost(p.Line, options)
	}
	if err == nil {
		return
	}
	for _, line := range options {
		e.byHand = append(e.byHand, ByHand{Place: p.String(), Host: host, Line: line, Why: err.Error()})
		option, _, _ := strings.Cut(line, " ")
		delete(e.expected.Hosts[host].Options, option)
	}
}

// errMeaning is what nobody should see: an edit that says something else than was
// meant is not made.
var errMeaning = errors.New("the settings are too much of a program to be changed here, and nothing was written: change them by hand, as README.md says")

// verify evaluates the changed files and compares what they mean with what was meant.
func (e *editor) verify(changed []File, environ []string) error {
	replaced := map[string]string{}
	for _, f := range changed {
		replaced[f.Path] = f.After
	}
	got, err := luaconfig.Evaluate(e.main, luaconfig.Options{Environ: environ, Replaced: replaced})
	if err != nil {
		return fmt.Errorf("%w: %w", errMeaning, err)
	}
	if got.Canonical() != e.expected.Canonical() {
		return fmt.Errorf("%w (%s)", errMeaning, filepath.Base(e.main))
	}
	return nil
}
