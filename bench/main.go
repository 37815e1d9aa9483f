// Command bench measures xtokend beside what it is measured against: Prosody alone, with
// other mechanisms or other modules, HAProxy before it, and the least that a program
// written in Go needs. It starts everything on this machine, on loopback, and writes a
// table, a plot and the raw figures.
//
// It runs on Linux, with the source of xtokend and the go command at hand. README.md says
// what each figure is and how it is taken.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"syscall"
	"time"
)

const usage = `usage: go run ./bench [flags]

Exit status: 0 if all bounds are met, 1 if one is not, 2 if something did not work.

`

// options are what the flags say.
type options struct {
	rounds     int
	duration   time.Duration // of one run
	only       *regexp.Regexp
	out        string
	modules    string
	xtokend    string
	idle       int
	storm      int
	reportOnly bool
	list       bool
}

func parseOptions() (options, error) {
	var o options
	flag.Usage = func() {
		fmt.Fprint(flag.CommandLine.Output(), usage)
		flag.PrintDefaults()
	}
	flag.IntVar(&o.rounds, "rounds", 3, "how often each run is made, in turn with the others")
	flag.DurationVar(&o.duration, "duration", 2500*time.Millisecond, "length of a run")
	only := flag.String("only", "", "measure only the rows whose name this regular expression matches")
	flag.StringVar(&o.out, "out", "bin/bench", "folder for bench.md, bench.svg and bench.json")
	flag.StringVar(&o.modules, "modules", "", "folder with mod_auth_token and mod_sasl_token: compare with them too")
	flag.StringVar(&o.xtokend, "xtokend", "", "the program to measure (default: it is built)")
	flag.IntVar(&o.idle, "idle", 2000, "idle sessions")
	flag.IntVar(&o.storm, "storm", 5000, "clients that log in at once")
	flag.BoolVar(&o.reportOnly, "report-only", false, "a bound that is not met is no failure")
	flag.BoolVar(&o.list, "list", false, "list the rows and end")
	flag.Parse()
	if flag.NArg() != 0 || o.rounds < 1 || o.idle < 1 || o.storm < 1 || o.duration < time.Second {
		return o, errors.New("-rounds, -idle and -storm are 1 or more, -duration is 1s or more, and there are no arguments")
	}
	var err error
	if o.only, err = regexp.Compile(*only); err != nil {
		return o, fmt.Errorf("-only: %w", err)
	}
	return o, nil
}

func main() {
	o, err := parseOptions()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
	rows := selectRows(allRows(o), o.only)
	if o.list {
		for _, r := range rows {
			fmt.Println(r.name)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	r, err := measure(ctx, o, rows)
	if err == nil {
		err = r.write(o.out)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
	fmt.Print("\n", r.table(), "\n", r.warning())
	fmt.Printf("Written: %[1]s/bench.md, %[1]s/bench.svg, %[1]s/bench.json\n", o.out)
	os.Exit(r.status(o.reportOnly))
}

// measure makes all runs that the rows need. What fails is in the report.
func measure(ctx context.Context, o options, rows []row) (*report, error) {
	if len(rows) == 0 {
		return nil, errors.New("no row matches -only; -list shows them")
	}
	if err := raiseDescriptorLimit(); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "xtokend-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	programs, err := buildPrograms(ctx, dir, o.xtokend)
	if err != nil {
		return nil, err
	}
	works := neededWorks(allWorks(o), rows)
	l, err := newLab(dir, programs, o.modules, usersOf(works))
	if err != nil {
		return nil, err
	}
	r := &report{options: o, machine: describeMachine(ctx), begun: time.Now(), store: newStore()}
	if err := runWorks(ctx, l, o, works, r.store); err != nil {
		return nil, err
	}
	if err := runGoBenchmarks(ctx, o, rows, r); err != nil {
		return nil, err
	}
	r.ended = time.Now()
	r.judge(rows)
	return r, nil
}
