package config

import (
	"fmt"
	"strings"
)

// Finding is one thing that is wrong with the settings, or could be better. It
// never holds a secret.
type Finding struct {
	Key  string // the setting's path with indexes from 0, "domain[0].key[1].otp_seed"; "": the file as a whole
	Text string
	Hint string // what to do about it; "": nothing to add
}

// String returns the finding without its hint.
func (f Finding) String() string {
	if f.Key == "" {
		return f.Text
	}
	return f.Key + ": " + f.Text
}

// Faults is the error of Load: everything that is wrong, unknown keys first, by
// their names, then the rest in the order of the annotated file. It is never empty.
type Faults []Finding

func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i := range f {
		lines[i] = f[i].String()
	}
	return strings.Join(lines, "; ")
}

// report collects what a loader finds.
type report struct {
	faults   Faults
	warnings []Finding
}

// fault notes what makes the settings unusable.
func (r *report) fault(key, hint, format string, args ...any) {
	r.faults = append(r.faults, Finding{Key: key, Text: fmt.Sprintf(format, args...), Hint: hint})
}

// warn notes what works and should not stay as it is.
func (r *report) warn(key, hint, format string, args ...any) {
	r.warnings = append(r.warnings, Finding{Key: key, Text: fmt.Sprintf(format, args...), Hint: hint})
}
