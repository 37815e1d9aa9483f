package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/alecthomas/kong"

	"xtokend/cmd/xtokend/internal/config"
)

// failure ends a command with an exit status; its text and hint go to standard
// error, unless the text is empty because all has been said.
type failure struct {
	status     int
	text, hint string
	cause      error // may be nil
}

func (f *failure) Error() string { return f.text }
func (f *failure) Unwrap() error { return f.cause }

// usage is the failure of a command line that asks for what cannot be done.
func usage(hint, format string, args ...any) error {
	return &failure{status: exitUsage, text: fmt.Sprintf(format, args...), hint: hint}
}

// usageError makes a failure of what the parser of the command line says. It
// leaves out arguments that are too many: one may be a piece of a token.
func usageError(err error) error {
	hint := "see xtokend --help"
	var parse *kong.ParseError
	if !errors.As(err, &parse) || parse.Context == nil || parse.Context.Selected() == nil {
		return usage(hint, "%v", err)
	}
	command := parse.Context.Selected().Name
	if strings.HasPrefix(err.Error(), "unexpected argument") {
		if command == "explain" {
			return usage(`a token holds a space: put it in quotes, or write - and give it on standard input`, "too many arguments")
		}
		return usage("see xtokend "+command+" --help", "too many arguments")
	}
	return usage("see xtokend "+command+" --help", "%v", err)
}

// complain writes an error to standard error, each of joined ones on its own, and
// returns the exit status: of several that of the first.
func (p *process) complain(err error) int {
	if err == nil {
		return exitOK
	}
	if several := joined(err); several != nil {
		status := p.complain(several[0])
		for _, e := range several[1:] {
			p.complain(e)
		}
		return status
	}
	var faults config.Faults
	var f *failure
	switch {
	case errors.As(err, &faults):
		for _, fault := range faults {
			p.say("error", fault.String(), fault.Hint)
		}
		return exitUsage
	case errors.As(err, &f):
		if f.text != "" {
			p.say("error", f.text, f.hint)
		}
		return f.status
	}
	p.say("error", err.Error(), "")
	return exitFailure
}

// joined returns the errors that errors.Join has made err of, one or more; nil if
// it was not. What fmt.Errorf makes of several has a text of its own.
func joined(err error) []error {
	several, ok := err.(interface{ Unwrap() []error })
	if !ok || err.Error() != errors.Join(several.Unwrap()...).Error() {
		return nil
	}
	return several.Unwrap()
}

// warn writes the settings' warnings to standard error.
func (p *process) warn(warnings []config.Finding) {
	for _, w := range warnings {
		p.say("warning", w.String(), w.Hint)
	}
}

func (p *process) say(kind, text, hint string) {
	fmt.Fprintf(p.stderr, "xtokend: %s: %s\n", kind, text)
	if hint != "" {
		fmt.Fprintf(p.stderr, "xtokend: hint: %s\n", hint)
	}
}
