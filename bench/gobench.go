package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

// benchmarkUnit is one of the numbers of a Go benchmark.
type benchmarkUnit struct {
	Package, Name, Unit string // "xtokend/auth", "BenchmarkVerify", "ns/op"
}

// hotPackages are those with benchmarks of what each login or message goes through.
var hotPackages = []string{
	"xtokend/auth", "xtokend/internal/xmlsplit", "xtokend/internal/framing", "xtokend/component/server",
	"xtokend/internal/bosh", "xtokend/component/host",
}

// runGoBenchmarks runs those that the rows need, and all if every row is wanted.
func runGoBenchmarks(ctx context.Context, o options, rows []row, to *report) error {
	packages := hotPackages
	if o.only.String() != "" {
		packages = nil
		for _, r := range rows {
			if p := r.ours.bench.Package; p != "" && !slices.Contains(packages, p) {
				packages = append(packages, p)
			}
		}
	}
	for _, p := range packages {
		fmt.Printf("go test -bench . %s\n", p)
		rounds := 1
		if p == "xtokend/auth" {
			rounds = o.rounds
		}
		test := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", ".", "-benchmem",
			"-benchtime", "300ms", "-count", strconv.Itoa(rounds), p)
		test.Stderr = os.Stderr
		out, err := test.Output()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			to.store.failures = append(to.store.failures, fmt.Sprintf("go test -bench . %s: %v\n%s", p, err, out))
			continue
		}
		if err := to.store.addBenchmarks(p, out); err != nil {
			return err
		}
	}
	return nil
}

// addBenchmarks reads what go test has written: lines of a name, how often it ran, and
// numbers each with its unit.
func (s *store) addBenchmarks(pkg string, out []byte) error {
	for line := range bytes.Lines(out) {
		fields := strings.Fields(string(line))
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		name := fields[0]
		// The number behind the last hyphen is that of the cores.
		if i := strings.LastIndexByte(name, '-'); i > 0 {
			if _, err := strconv.Atoi(name[i+1:]); err == nil {
				name = name[:i]
			}
		}
		for i := 2; i+1 < len(fields); i += 2 {
			value, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				return errors.Join(fmt.Errorf("go test -bench: %q", line), err)
			}
			unit := benchmarkUnit{pkg, name, fields[i+1]}
			if s.benchmarks[unit] == nil {
				s.order = append(s.order, unit)
			}
			s.benchmarks[unit] = append(s.benchmarks[unit], value)
		}
	}
	return nil
}
