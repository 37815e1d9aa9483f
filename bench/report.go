package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"xtokend/bench/result"
)

// busy is how many cores others may use before the report warns.
const busy = 0.2

// report is everything that was measured.
type report struct {
	options      options
	machine      machine
	begun, ended time.Time
	store        *store
	verdicts     []verdict
}

func (r *report) judge(rows []row) {
	for _, row := range rows {
		r.verdicts = append(r.verdicts, judge(row, r.store))
	}
}

// status is the exit status.
func (r *report) status(reportOnly bool) int {
	if len(r.store.failures) > 0 {
		return 2
	}
	if !reportOnly && slices.ContainsFunc(r.verdicts, func(v verdict) bool { return v.Outcome == notMet }) {
		return 1
	}
	return 0
}

// table has a line for each row.
func (r *report) table() string {
	var b strings.Builder
	b.WriteString("| work | measured against | their figure | ours | ratio | bound | |\n|---|---|---|---|---|---|---|\n")
	for _, v := range r.verdicts {
		last := string(v.Outcome)
		if v.Why != "" {
			last += ": " + v.Why
		}
		ratio := v.Ratio.spread(func(x float64) string { return fmt.Sprintf("%.2f", x) })
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s |\n", v.row.work, v.row.against,
			v.Theirs.spread(v.row.unit.text), v.Ours.spread(v.row.unit.text), ratio, v.row.bound.text(v.row.unit), last)
	}
	return b.String()
}

// others is how busy all other processes kept the machine, over all runs.
func (r *report) others() stat {
	var all []float64
	for _, runs := range r.store.runs {
		for _, run := range runs {
			if run != nil {
				all = append(all, run.OtherCores)
			}
		}
	}
	return newStat(all)
}

// warning is empty if the machine was quiet.
func (r *report) warning() string {
	if o := r.others(); o.Max > busy {
		return fmt.Sprintf("**The machine was not quiet:** other processes kept up to %.2f cores busy (median %.2f).\n\n", o.Max, o.Median)
	}
	return ""
}

// write writes the three files.
func (r *report) write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	raw, err := r.json()
	if err != nil {
		return err
	}
	for _, file := range []struct {
		name    string
		content []byte
	}{{"bench.md", []byte(r.markdown())}, {"bench.svg", []byte(r.plot())}, {"bench.json", raw}} {
		if err := os.WriteFile(filepath.Join(dir, file.name), file.content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// json has the runs themselves.
func (r *report) json() ([]byte, error) {
	type measurement struct {
		Work    string        `json:"work"`
		Part    string        `json:"part,omitempty"`
		Subject subject       `json:"subject"`
		Runs    []*result.Run `json:"runs"` // null: it failed
	}
	type benchmark struct {
		benchmarkUnit
		Values []float64
	}
	out := struct {
		Machine      machine            `json:"machine"`
		Begun        time.Time          `json:"begun"`
		Ended        time.Time          `json:"ended"`
		Rounds       int                `json:"rounds"`
		Rows         []verdict          `json:"rows"`
		Measurements []measurement      `json:"measurements"`
		Benchmarks   []benchmark        `json:"go_benchmarks,omitempty"`
		Missing      map[subject]string `json:"not_measured,omitempty"`
		Failures     []string           `json:"failures,omitempty"`
	}{Machine: r.machine, Begun: r.begun, Ended: r.ended, Rounds: r.options.rounds, Rows: r.verdicts,
		Missing: r.store.missing, Failures: r.store.failures}
	for _, k := range r.keys() {
		out.Measurements = append(out.Measurements, measurement{k.Work, k.Part, k.Subject, r.store.runs[k]})
	}
	for _, unit := range r.store.order {
		out.Benchmarks = append(out.Benchmarks, benchmark{unit, r.store.benchmarks[unit]})
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "\t")
	err := e.Encode(out)
	return b.Bytes(), err
}
