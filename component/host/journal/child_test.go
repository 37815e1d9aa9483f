package journal_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"xtokend/component/host/journal"
)

// The test binary runs itself again, as a process that may be killed or may run out of room. This variable tells it
// what to do, and the next one with which file.
const (
	childVariable     = "XTOKEND_JOURNAL_CHILD"
	childPathVariable = "XTOKEND_JOURNAL_PATH"
)

func runChild() {
	children := map[string]func(path string) error{"write": writeForEver, "full": runOutOfRoom}
	run := children[os.Getenv(childVariable)]
	if run == nil {
		return
	}
	if err := run(os.Getenv(childPathVariable)); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

func child(t *testing.T, what, path string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), childVariable+"="+what, childPathVariable+"="+path)
	cmd.Stderr = os.Stderr
	return cmd
}

const (
	writers = 4
	backlog = 10 // messages of a writer that are kept
)

// writeForEver goes on where it was killed. In each step a writer adds a message, counts it, and takes the oldest one
// away; it prints the number of each step that is on disk.
func writeForEver(path string) error {
	j, err := journal.Open(path, journal.Options{})
	if err != nil {
		return err
	}
	counters, _, err := state(j)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	failed := make(chan error)
	for writer := range writers {
		go func() {
			old := func(n int) { j.Delete("messages", fmt.Sprintf("%d %d", writer, n-backlog)) }
			old(counters[writer]) // the kill may have come between this and the count
			for n := counters[writer] + 1; ; n++ {
				j.Put("messages", fmt.Sprintf("%d %d", writer, n), fmt.Append(nil, "message ", n))
				j.Put("counters", strconv.Itoa(writer), strconv.AppendInt(nil, int64(n), 10))
				old(n)
				if err := j.Wait(j.Mark(), nil); err != nil {
					failed <- err
					return
				}
				mu.Lock()
				fmt.Println(writer, n)
				mu.Unlock()
			}
		}()
	}
	return <-failed
}

// state returns the counter of each writer, and the numbers of its messages.
func state(j *journal.Journal) (counters [writers]int, messages [writers]map[int]bool, err error) {
	err = j.Load("counters", func(key string, value []byte) error {
		writer, err := strconv.Atoi(key)
		if err == nil {
			counters[writer], err = strconv.Atoi(string(value))
		}
		return err
	})
	if err != nil {
		return counters, messages, err
	}
	err = j.Load("messages", func(key string, value []byte) error {
		var writer, n int
		if _, err := fmt.Sscanf(key, "%d %d", &writer, &n); err != nil {
			return err
		}
		if want := fmt.Sprint("message ", n); string(value) != want {
			return fmt.Errorf("%q, want %q", value, want)
		}
		if messages[writer] == nil {
			messages[writer] = make(map[int]bool)
		}
		messages[writer][n] = true
		return nil
	})
	return counters, messages, err
}

// What Wait has said to be on disk is there after kill -9, and never a later change without an earlier one.
func TestKilled(t *testing.T) {
	path := newPath(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range 15 {
		told := killed(t, path, 1+random.IntN(300))
		j, err := journal.Open(path, journal.Options{})
		if err != nil {
			t.Fatal(err)
		}
		counters, messages, err := state(j)
		if err := errors.Join(err, j.Close()); err != nil {
			t.Fatal(err)
		}
		for writer, n := range counters {
			if n < told[writer] {
				t.Errorf("writer %d was told of step %d, the file has %d", writer, told[writer], n)
			}
			wantBacklog(t, writer, n, messages[writer])
		}
	}
}

// wantBacklog holds a writer's messages against its counter: they may be one step ahead at one end, or behind at the
// other, since a commit can come between the changes of a step.
func wantBacklog(t *testing.T, writer, counter int, messages map[int]bool) {
	t.Helper()
	for n := max(1, counter-backlog+1); n <= counter; n++ {
		if !messages[n] {
			t.Errorf("writer %d: message %d is missing at %d", writer, n, counter)
		}
		delete(messages, n)
	}
	oldest, next := messages[counter-backlog], messages[counter+1]
	delete(messages, counter-backlog)
	delete(messages, counter+1)
	if len(messages) > 0 || oldest && next {
		t.Errorf("writer %d at %d: out of order: %v, %t, %t", writer, counter, messages, oldest, next)
	}
}

// killed lets a child write, kills it after some steps, and returns the last step of each writer that it had printed.
func killed(t *testing.T, path string, steps int) (told [writers]int) {
	t.Helper()
	cmd := child(t, "write", path)
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(output)
	for read := 1; lines.Scan(); read++ {
		var writer, n int
		if _, err := fmt.Sscanf(lines.Text(), "%d %d", &writer, &n); err != nil {
			t.Fatalf("child: %s", lines.Text())
		}
		told[writer] = n
		if read == steps {
			if err := cmd.Process.Kill(); err != nil { // and read what it had still printed
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("child: %v", err)
	}
	return told
}

// runOutOfRoom may not let its file grow, as on a full disk, until the limit is taken away.
func runOutOfRoom(path string) error {
	var log bytes.Buffer
	j, err := journal.Open(path, journal.Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		return err
	}
	j.Put("messages", "before", []byte("kept"))
	if err := j.Wait(j.Mark(), nil); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	full := syscall.Rlimit{Cur: uint64(info.Size()), Max: limit.Max}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &full); err != nil {
		return err
	}
	large := bytes.Repeat([]byte("x"), int(info.Size()))
	j.Put("messages", "alice@example.org", large)
	j.Put("messages", "changed", []byte("early"))
	j.Delete("messages", "before")
	for range 3 {
		err := j.Wait(j.Mark(), nil)
		if !errors.Is(err, journal.ErrFailed) || !strings.Contains(err.Error(), "full disk") {
			return fmt.Errorf("without room: %v", err)
		}
		j.Put("messages", "changed", []byte("late"))
	}
	m := j.Mark()
	if j.Done(m) {
		return errors.New("done without room")
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	if err := j.Wait(m, nil); err != nil {
		return fmt.Errorf("with room again: %w", err)
	}
	told := log.String()
	if strings.Count(told, "cannot be written") != 1 || strings.Count(told, "can be written again") != 1 || strings.Count(told, "\n") != 2 {
		return fmt.Errorf("the log: %s", told)
	}
	for _, never := range []string{"alice", "xxx", "changed"} {
		if strings.Contains(told, never) {
			return fmt.Errorf("%q is in the log: %s", never, told)
		}
	}
	return j.Close()
}

func TestOnFullDisk(t *testing.T) {
	path := newPath(t)
	if output, err := child(t, "full", path).Output(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	got := load(t, open(t, path, journal.Options{}), "messages")
	if len(got) != 2 || !strings.HasPrefix(got[0], "alice@example.org=xxx") || got[1] != "changed=late" {
		t.Fatalf("%.100q", got)
	}
}
