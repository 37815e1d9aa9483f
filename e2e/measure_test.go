package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// measurement is what a running xtokend takes up at a moment.
type measurement struct {
	sessions    int // logged in or not
	goroutines  int
	descriptors int // open files and sockets
	resident    int // kB
	heap        int // kB that the program uses or has not yet found to be unused
}

func (m measurement) String() string {
	return fmt.Sprintf("%d sessions, %d goroutines, %d descriptors, %d MB resident, %d MB of heap",
		m.sessions, m.goroutines, m.descriptors, m.resident>>10, m.heap>>10)
}

// measure asks xtokend and the kernel.
func (s *site) measure(t *testing.T) measurement {
	t.Helper()
	text := s.mustAsk(t, "/metrics", 200)
	process := s.front.cmd.Process.Pid
	m := measurement{
		sessions:    metric(t, text, "xtokend_sessions") + metric(t, text, "xtokend_unauthenticated_sessions"),
		goroutines:  metric(t, text, "go_goroutines"),
		descriptors: openDescriptors(t, process),
		resident:    residentKilobytes(t, process),
		heap:        metric(t, text, "go_memstats_heap_alloc_bytes") >> 10,
	}
	if m.goroutines == 0 || m.heap == 0 {
		t.Fatalf("the metrics lack the program's own:\n%s", text)
	}
	return m
}

// metric is the sum of all series of a metric in the text form of Prometheus, zero
// where there is none yet.
func metric(t *testing.T, text, name string) int {
	t.Helper()
	sum := 0.0
	for line := range strings.Lines(text) {
		rest, ok := strings.CutPrefix(line, name)
		if !ok || rest[0] != ' ' && rest[0] != '{' {
			continue
		}
		fields := strings.Fields(rest)
		value, err := strconv.ParseFloat(fields[len(fields)-1], 64)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		sum += value
	}
	return int(sum)
}

// lookAgain is the time between two looks at something that no event tells of.
const lookAgain = 200 * time.Millisecond

// looksAtRest is how many looks in a row see the same where nothing happens.
const looksAtRest = 5

// atRest measures an xtokend without sessions, once it is at rest.
func (s *site) atRest(t *testing.T) measurement {
	t.Helper()
	again := time.NewTicker(lookAgain)
	defer again.Stop()
	last := s.measure(t)
	for same := 0; same < looksAtRest; {
		select {
		case <-again.C:
		case <-s.ctx.Done():
			t.Fatalf("xtokend does not come to rest: %v", last)
		}
		now := s.measure(t)
		same++
		if now.sessions != 0 || now.goroutines != last.goroutines || now.descriptors != last.descriptors {
			same = 0
		}
		last = now
	}
	return last
}

// awaitRest returns once xtokend holds no session, and no more goroutines and
// descriptors than before.
func (s *site) awaitRest(t *testing.T, before measurement) measurement {
	t.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, 2*testTimeout) // a session over BOSH may be left alone for long
	defer cancel()
	again := time.NewTicker(lookAgain)
	defer again.Stop()
	for {
		now := s.measure(t)
		if now.sessions == 0 && now.goroutines <= before.goroutines && now.descriptors <= before.descriptors {
			return now
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("xtokend does not come to rest: before %v, now %v", before, now)
		}
	}
}

// lengthen lets the site and its clients live that long from now on.
func (s *site) lengthen(d time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	s.t.Cleanup(cancel)
	s.ctx = ctx
}

func openDescriptors(t *testing.T, process int) int {
	t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", process))
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// residentKilobytes and peakKilobytes are VmRSS and VmHWM of proc(5).
func residentKilobytes(t *testing.T, process int) int { return statusOf(t, process, "VmRSS") }
func peakKilobytes(t *testing.T, process int) int     { return statusOf(t, process, "VmHWM") }

func statusOf(t *testing.T, process int, field string) int {
	t.Helper()
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(process), "status"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			value, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				t.Fatal(err)
			}
			return value
		}
	}
	t.Fatalf("the process has no %s", field)
	return 0
}
