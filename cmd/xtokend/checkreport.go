package main

import (
	"errors"
	"fmt"

	"xtokend/cmd/xtokend/internal/config"
	"xtokend/cmd/xtokend/internal/doctor"
)

// checkReport is what `xtokend check --json` prints.
type checkReport struct {
	Settings string           `json:"settings"` // path of the file
	OK       bool             `json:"ok"`       // there is no error
	Findings []doctor.Finding `json:"findings"`
}

// runJSON does what Run does, for programs.
func (c *checkCommand) runJSON(p *process, cfg *config.Config, warnings []config.Finding, err error) error {
	report := checkReport{Settings: cfg.Path, Findings: []doctor.Finding{}}
	for _, w := range warnings {
		report.Findings = append(report.Findings, ofSettings(doctor.Warning, w))
	}
	var faults config.Faults
	errors.As(err, &faults)
	for _, f := range faults {
		report.Findings = append(report.Findings, ofSettings(doctor.Error, f))
	}
	if c.Live && err == nil {
		report.Findings = append(report.Findings, examineHere(cfg)...)
	}
	failed := failedFindings(report.Findings)
	report.OK = failed == 0
	if perr := p.printJSON(report); perr != nil {
		return perr
	}
	switch {
	case err != nil:
		return &failure{status: exitUsage}
	case failed > 0:
		return &failure{status: exitFailure}
	}
	return nil
}

func ofSettings(level doctor.Level, f config.Finding) doctor.Finding {
	return doctor.Finding{Level: level, Topic: doctor.TopicSettings, Text: f.String(), Hint: f.Hint}
}

func failedFindings(found []doctor.Finding) (failed int) {
	for _, f := range found {
		if f.Level == doctor.Error {
			failed++
		}
	}
	return failed
}

// tell prints what was found: what is well to standard output, and what is not to
// standard error, with what to do.
func (p *process) tell(found []doctor.Finding) error {
	for _, f := range found {
		text := string(f.Topic) + ": " + f.Text
		if f.Domain != "" {
			text = f.Domain + ": " + text
		}
		switch f.Level {
		case doctor.OK, doctor.Skipped:
			fmt.Fprintf(p.stdout, "%s: %s\n", f.Level, text)
		default:
			p.flush() // so that a terminal shows all in order
			p.say(string(f.Level), text, f.Hint)
		}
	}
	if failedFindings(found) > 0 {
		return &failure{status: exitFailure}
	}
	fmt.Fprintln(p.stdout, "ok")
	return nil
}
