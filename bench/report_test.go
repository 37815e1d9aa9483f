package main

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"xtokend/bench/result"
)

// made has runs of the given CPU milliseconds, one a round; a round with NaN failed.
func made(cpus ...float64) []*result.Run {
	var runs []*result.Run
	for _, cpu := range cpus {
		if math.IsNaN(cpu) {
			runs = append(runs, nil)
			continue
		}
		runs = append(runs, &result.Run{Count: 1, Servers: []result.Process{{CPU: cpu}}, OtherCores: 0.1})
	}
	return runs
}

func TestVerdicts(t *testing.T) {
	nan := math.NaN()
	for _, tt := range []struct {
		name         string
		theirs, ours []*result.Run
		bound        bound
		ofMedians    bool
		want         outcome
		ratio        float64
	}{
		{name: "at the bound", theirs: made(2), ours: made(1), bound: ratioAtMost(0.5), want: met, ratio: 0.5},
		{name: "above it", theirs: made(2), ours: made(1.01), bound: ratioAtMost(0.5), want: notMet, ratio: 0.505},
		{name: "at least", theirs: made(2), ours: made(1.9), bound: ratioAtLeast(0.95), want: met, ratio: 0.95},
		{name: "below that", theirs: made(2), ours: made(1.8), bound: ratioAtLeast(0.95), want: notMet, ratio: 0.9},
		{name: "rounds are compared each with its own", theirs: made(1, 10, 100), ours: made(2, 20, 200), bound: ratioAtMost(2), want: met, ratio: 2},
		{name: "one bad round of three", theirs: made(1, 1, 1), ours: made(1, 9, 1), bound: ratioAtMost(1), want: met, ratio: 1},
		{name: "a failed round is left out", theirs: made(1, nan, 1), ours: made(1, 5, 1), bound: ratioAtMost(1), want: met, ratio: 1},
		{name: "of medians", theirs: made(1, 2, 3), ours: made(3, 2, 1), bound: ratioAtMost(1), ofMedians: true, want: met, ratio: 1},
		{name: "value", theirs: made(30), ours: made(12), bound: valueAtMost(12), want: met, ratio: 0.4},
		{name: "value above", theirs: made(30), ours: made(12.1), bound: valueAtMost(12), want: notMet, ratio: 12.1 / 30},
		{name: "value without theirs", ours: made(0), bound: valueAtMost(0), want: met},
		{name: "no bound", theirs: made(1), ours: made(9), want: unbounded, ratio: 9},
		{name: "nothing of theirs", ours: made(1), bound: ratioAtMost(1), want: notMeasured},
		{name: "nothing of ours", theirs: made(1), bound: ratioAtMost(1), want: notMeasured},
		{name: "theirs is nothing", theirs: made(0), ours: made(1), bound: ratioAtMost(1), want: notMeasured},
		{name: "all rounds failed", theirs: made(nan), ours: made(nan), bound: ratioAtMost(1), want: notMeasured},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStore()
			s.runs[key{"w", "", haproxySubject}] = tt.theirs
			s.runs[key{"w", "", frontSubject}] = tt.ours
			v := judge(row{name: "w: x", unit: milliseconds, bound: tt.bound, ofMedians: tt.ofMedians,
				theirs: measured("w", "", haproxySubject, cpu), ours: measured("w", "", frontSubject, cpu)}, s)
			if v.Outcome != tt.want || math.Abs(v.Ratio.Median-tt.ratio) > 1e-9 {
				t.Errorf("%q with ratio %v, want %q with %v", v.Outcome, v.Ratio.Median, tt.want, tt.ratio)
			}
		})
	}
}

func TestStat(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   []float64
		want stat
	}{
		{"none", nil, stat{}},
		{"odd", []float64{3, 1, 2}, stat{Median: 2, Min: 1, Max: 3, Rounds: 3}},
		{"even", []float64{4, 1, 2, 3}, stat{Median: 2.5, Min: 1, Max: 4, Rounds: 4}},
		{"failed ones", []float64{math.NaN(), 5}, stat{Median: 5, Min: 5, Max: 5, Rounds: 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := newStat(tt.in); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

// example is a report of made-up figures: some rows are met, one is not, one could not be
// measured.
func example() (*report, []row) {
	r := &report{store: newStore(), machine: machine{CPU: "a <fast> & small one", Cores: 2}}
	r.options.rounds = 3
	add := func(work string, s subject, cpus ...float64) { r.store.runs[key{work, "", s}] = made(cpus...) }
	add("login tcp", hostSubject, 0.3, 0.3, 0.3)
	add("login tcp", memorySubject, 0.23, 0.22, 0.24)
	add("login tcp", plainSubject, 1, 1.1, 1.2)
	add("login tcp", floorSubject, 0.1, 0.1, 0.1)
	add("login tcp", frontSubject, 0.4, 0.4, 0.4)
	r.store.missing[haproxySubject] = "HAProxy is not installed: apt-get install haproxy"
	rows := selectRows(allRows(options{rounds: 3, idle: 1, storm: 1}), regexp.MustCompile("^login tcp: (host|front, CPU)"))
	r.judge(rows)
	return r, rows
}

func TestTableHasEachRow(t *testing.T) {
	r, rows := example()
	table := r.table()
	if got, want := strings.Count(table, "\n"), 2+len(rows); got != want {
		t.Errorf("%d lines, want %d:\n%s", got, want, table)
	}
	for _, want := range []string{
		"| 1.10 ms (1.00 ms to 1.20 ms) | 0.230 ms (0.220 ms to 0.240 ms) | 0.20 (0.20 to 0.23) | ≤ 0.25 × | met |",
		"| ≤ 1.25 × | **not met** |",
		"not measured here: HAProxy is not installed: apt-get install haproxy |",
	} {
		if !strings.Contains(table, want) {
			t.Errorf("the table lacks %q:\n%s", want, table)
		}
	}
}

func TestStatus(t *testing.T) {
	r, _ := example()
	if got := r.status(false); got != 1 {
		t.Errorf("a bound that is not met: %d, want 1", got)
	}
	if got := r.status(true); got != 0 {
		t.Errorf("with -report-only: %d, want 0", got)
	}
	r.store.failures = append(r.store.failures, "a run")
	if got := r.status(true); got != 2 {
		t.Errorf("a run that failed: %d, want 2", got)
	}
}

func TestReportWarnsOfABusyMachine(t *testing.T) {
	r, _ := example()
	if got := r.warning(); got != "" {
		t.Errorf("a quiet machine: %q", got)
	}
	r.store.runs[key{"login tcp", "", hostSubject}][1].OtherCores = 0.7
	if got := r.warning(); !strings.Contains(got, "0.70 cores") {
		t.Errorf("a busy machine: %q", got)
	}
	if !strings.Contains(r.markdown(), r.warning()) {
		t.Error("the page does not warn")
	}
}

func TestPlotIsXML(t *testing.T) {
	r, _ := example()
	r.verdicts[0].row.against = `<&"'>`
	plot := r.plot()
	texts := 0
	for d := xml.NewDecoder(strings.NewReader(plot)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, plot)
		}
		if data, ok := token.(xml.CharData); ok && strings.Contains(string(data), `<&"'>`) {
			texts++
		}
	}
	if texts != 1 {
		t.Errorf("the text with marks is there %d times, want once", texts)
	}
	if got := strings.Count(plot, `class="missed"`); got != 1 {
		t.Errorf("%d bars are shown as not met, want 1", got)
	}
	if got := strings.Count(plot, `class="whisker" x1="20" y1=`); got != 0 {
		t.Errorf("%d whiskers begin at nothing", got)
	}
	if got, want := strings.Count(plot, `class="whisker"`), 8; got != want {
		t.Errorf("%d whiskers, want %d", got, want)
	}
	if strings.Contains(plot, "%!") || strings.Contains(plot, "NaN") || strings.Contains(plot, "its own CPU") {
		t.Errorf("the plot shows what was not measured:\n%s", plot)
	}
}

func TestJSONHasTheRuns(t *testing.T) {
	r, rows := example()
	raw, err := r.json()
	if err != nil {
		t.Fatal(err)
	}
	var out struct {
		Rows         []struct{ Outcome string }
		Measurements []struct{ Runs []*result.Run }
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	if len(out.Rows) != len(rows) || len(out.Measurements) != 5 || len(out.Measurements[0].Runs) != 3 {
		t.Errorf("%d rows and %d measurements:\n%s", len(out.Rows), len(out.Measurements), raw)
	}
}

// Every row that wants a run must get it, and a work is not done for nobody.
func TestWorksAreThoseThatRowsNeed(t *testing.T) {
	o := options{rounds: 1, idle: 10, storm: 10, modules: "modules"}
	rows, works := allRows(o), allWorks(o)
	needed := neededWorks(works, rows)
	for _, r := range rows {
		for _, k := range slices.Concat(r.theirs.keys, r.ours.keys) {
			if !slices.ContainsFunc(needed, func(w work) bool { return w.name == k.Work && slices.Contains(w.subjects, k.Subject) }) {
				t.Errorf("%s: nobody does %q with %q", r.name, k.Work, k.Subject)
			}
		}
	}
	for _, w := range works {
		for _, s := range w.subjects {
			if !slices.ContainsFunc(rows, func(r row) bool { return r.needs(w.name, s) }) {
				t.Errorf("no row needs %q with %q", w.name, s)
			}
		}
	}
	one := neededWorks(works, selectRows(rows, regexp.MustCompile("^login tls: front, CPU$")))
	if len(one) != 1 || !slices.Equal(one[0].subjects, []subject{frontSubject, haproxySubject}) {
		t.Errorf("one row needs %+v", one)
	}
}

func TestNamesOfRowsDiffer(t *testing.T) {
	seen := make(map[string]bool)
	for _, r := range allRows(options{modules: "modules"}) {
		if seen[r.name] {
			t.Errorf("%q is there twice", r.name)
		}
		seen[r.name] = true
	}
}

func TestGoBenchmarksAreRead(t *testing.T) {
	s := newStore()
	const out = `goos: linux
pkg: xtokend/auth
BenchmarkVerify-2           	  657812	       543.2 ns/op	       0 B/op	       0 allocs/op
BenchmarkBareHMAC/new-2     	  400000	       900 ns/op
BenchmarkVerifyRatio-2      	    2000	       600 ns/op	         2.250 x-hmac	         2.900 x-hmac-with-name
BenchmarkVerify-2           	  657812	       545.2 ns/op	       0 B/op	       0 allocs/op
PASS
ok  	xtokend/auth	5.1s
`
	if err := s.addBenchmarks("xtokend/auth", []byte(out)); err != nil {
		t.Fatal(err)
	}
	for unit, want := range map[benchmarkUnit][]float64{
		{"xtokend/auth", "BenchmarkVerify", "ns/op"}:                 {543.2, 545.2},
		{"xtokend/auth", "BenchmarkVerify", "allocs/op"}:             {0, 0},
		{"xtokend/auth", "BenchmarkBareHMAC/new", "ns/op"}:           {900},
		{"xtokend/auth", "BenchmarkVerifyRatio", "x-hmac-with-name"}: {2.9},
	} {
		if got := s.benchmarks[unit]; !slices.Equal(got, want) {
			t.Errorf("%v: got %v, want %v", unit, got, want)
		}
	}
	var r report
	r.store = s
	r.judge(verifyRows())
	for _, v := range r.verdicts {
		if v.Outcome != met {
			t.Errorf("%s: %s", v.Name, v.Outcome)
		}
	}
}

func TestModuleErrorIsFound(t *testing.T) {
	for _, tt := range []struct{ name, log, want string }{
		{"nothing", "", ""},
		{"other errors", "Nov 23 certmanager\terror\tError indexing certificate directory\n" +
			"Nov 23 modulemanager\terror\tCould not load manifest of installed plugins\n", ""},
		{"a library is missing", "Nov 23 startup\tinfo\tHello\n" +
			"Nov 23 modulemanager\terror\tError initializing module 'auth_token' on 'example.org': module 'luatz' not found:\n\tno file\n",
			"Error initializing module 'auth_token' on 'example.org': module 'luatz' not found:"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := moduleError(tt.log); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
