package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"xtokend/bench/result"
)

// markdown is the whole page.
func (r *report) markdown() string {
	var b strings.Builder
	b.WriteString("# How fast xtokend is\n\n")
	m, o := r.machine, r.others()
	fmt.Fprintf(&b, "%s, %s. %d cores of %s, %s, %s, %s, %s.\n\n", r.begun.UTC().Format("2 January 2006, 15:04 UTC"), m.Tree,
		m.Cores, m.CPU, m.Kernel, m.Go, m.Prosody, m.HAProxy)
	fmt.Fprintf(&b, "Median (least to most) of %d rounds in turn, each run of %v on fresh processes; clients and servers share the machine. "+
		"Meanwhile other processes kept %.2f cores busy (median; at worst %.2f).\n\n", r.options.rounds, r.options.duration, o.Median, o.Max)
	b.WriteString(r.warning())
	b.WriteString("![The table as bars](bench.svg)\n\n")
	b.WriteString(r.table())
	b.WriteString(notes)
	r.runTables(&b)
	r.benchmarkTable(&b)
	if len(r.store.failures) > 0 {
		b.WriteString("\n## What did not work\n\n")
		for _, f := range r.store.failures {
			fmt.Fprintf(&b, "```\n%s\n```\n", f)
		}
	}
	return b.String()
}

const notes = `
A ratio is the median of the rounds' ratios: what slows the machine down for a while slows both. Of the latency added and
of ageing it is the ratio of the medians. CPU is user and system time of one process (first named), divided by the logins
or messages; memory is its resident set above the one after 500 logins that are over. "Prosody, PLAIN" with internal_plain is the least
that any mechanism costs Prosody, and so less than mod_auth_token does; -modules compares with that itself.

Prosody is tuned as the guide has it (gc = { mode = "generational" }, network_settings = { nagle = false },
limits = { c2s = { rate = "10mb/s" } }); accounts have 10,000 iterations, and clients and xtokend keep their SCRAM keys.
xtokend has its default settings and a file store. Clients come from 16 addresses. TLS is 1.3 with ECDSA P-256, never resumed.
`

// keys are those of all runs, in the order of the works.
func (r *report) keys() []key {
	place := make(map[string]int)
	for i, w := range allWorks(r.options) {
		place[w.name] = i
	}
	return slices.SortedFunc(maps.Keys(r.store.runs), func(a, b key) int {
		if place[a.Work] != place[b.Work] {
			return place[a.Work] - place[b.Work]
		}
		return strings.Compare(string(a.Subject)+partOrder(a.Part), string(b.Subject)+partOrder(b.Part))
	})
}

// partOrder makes parts sort as they happen.
func partOrder(part string) string {
	return fmt.Sprint(slices.Index([]string{"", "before", "logins", "after", "first", "again"}, part))
}

// runTables has all figures of all runs, a table for each work.
func (r *report) runTables(b *strings.Builder) {
	last := ""
	for _, k := range r.keys() {
		if k.Work != last {
			fmt.Fprintf(b, "\n## %s\n\n| | a second | p50 ms | p95 ms | p99 ms | max ms | CPU ms, each process | cores busy | client CPU ms | kB a session | others, cores | errors, lost |\n"+
				"|---|---|---|---|---|---|---|---|---|---|---|---|\n", k.Work)
			last = k.Work
		}
		runs := slices.DeleteFunc(slices.Clone(r.store.runs[k]), func(run *result.Run) bool { return run == nil })
		if len(runs) == 0 {
			continue
		}
		median := func(format string, of func(*result.Run) float64) string {
			var values []float64
			for _, run := range runs {
				values = append(values, of(run))
			}
			return newStat(values).spread(func(x float64) string { return fmt.Sprintf(format, x) })
		}
		var cpus, cores []string
		for i := range runs[0].Servers {
			cpus = append(cpus, median("%.4f", func(run *result.Run) float64 { return run.Servers[i].CPU }))
			cores = append(cores, fmt.Sprintf("%.2f", newStat(each(runs, func(run *result.Run) float64 { return run.Servers[i].Cores })).Median))
		}
		kilobytes := ""
		if runs[0].Idle != nil {
			var all []string
			for i := range runs[0].Idle.Memory {
				all = append(all, median("%.1f", func(run *result.Run) float64 { return float64(run.Idle.Memory[i].PerSession) / 1000 }))
			}
			kilobytes = strings.Join(all, " + ")
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n",
			strings.TrimSpace(string(k.Subject)+" "+k.Part), median("%.0f", perSecond), median("%.3f", p50),
			fmt.Sprintf("%.3f", newStat(each(runs, func(run *result.Run) float64 { return run.Latency.P95 })).Median),
			fmt.Sprintf("%.3f", newStat(each(runs, func(run *result.Run) float64 { return run.Latency.P99 })).Median),
			fmt.Sprintf("%.1f", newStat(each(runs, func(run *result.Run) float64 { return run.Latency.Max })).Max),
			strings.Join(cpus, " + "), strings.Join(cores, " + "),
			fmt.Sprintf("%.4f", newStat(each(runs, func(run *result.Run) float64 { return run.ClientCPU })).Median),
			kilobytes, fmt.Sprintf("%.2f", newStat(each(runs, func(run *result.Run) float64 { return run.OtherCores })).Max), wrong(runs))
	}
}

// each is a number of every run.
func each(runs []*result.Run, of func(*result.Run) float64) []float64 {
	values := make([]float64, len(runs))
	for i, run := range runs {
		values[i] = of(run)
	}
	return values
}

// wrong is what went wrong in runs, by kind; empty if nothing has.
func wrong(runs []*result.Run) string {
	sum := make(map[string]int)
	for _, run := range runs {
		for kind, n := range run.Errors {
			sum[kind] += n
		}
		if run.Lost != 0 {
			sum["lost"] += int(run.Lost)
		}
	}
	var texts []string
	for _, kind := range slices.Sorted(maps.Keys(sum)) {
		texts = append(texts, fmt.Sprintf("%d %s", sum[kind], strings.ReplaceAll(kind, "|", "/")))
	}
	return strings.Join(texts, ", ")
}

// benchmarkTable has the Go benchmarks.
func (r *report) benchmarkTable(b *strings.Builder) {
	if len(r.store.order) == 0 {
		return
	}
	b.WriteString("\n## Go benchmarks\n\n| package | benchmark | |\n|---|---|---|\n")
	var last benchmarkUnit
	for _, unit := range r.store.order {
		if unit.Package == last.Package && unit.Name == last.Name {
			continue
		}
		last = unit
		var values []string
		for _, other := range r.store.order {
			if other.Package == unit.Package && other.Name == unit.Name {
				values = append(values, fmt.Sprintf("%g %s", newStat(r.store.benchmarks[other]).Median, other.Unit))
			}
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", strings.TrimPrefix(unit.Package, "xtokend/"),
			strings.TrimPrefix(unit.Name, "Benchmark"), strings.Join(values, ", "))
	}
}
