package replay_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"xtokend/auth/replay"
)

// The test binary runs itself again, as a process that may be killed or may run out of room. This variable tells it
// what to do, and the next one with which file.
const (
	childVariable     = "XTOKEND_REPLAY_CHILD"
	childPathVariable = "XTOKEND_REPLAY_PATH"
)

func runChild() {
	children := map[string]func(path string) error{"use": useForEver, "full": runOutOfRoom}
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

// useForEver uses tokens from several goroutines and prints the number of each that was admitted.
func useForEver(path string) error {
	store, err := replay.OpenFile(path, options(thisBoot, start))
	if err != nil {
		return err
	}
	var mu sync.Mutex
	failed := make(chan error)
	for caller := range 4 {
		go func() {
			for n := caller; ; n += 4 {
				if err := store.Use(context.Background(), use(n, start)); err != nil {
					failed <- err
					return
				}
				mu.Lock()
				fmt.Println(n)
				mu.Unlock()
			}
		}()
	}
	return <-failed
}

func TestFileKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "replay.db")
	cmd := child(t, "use", path)
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var admitted []int
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		n, err := strconv.Atoi(lines.Text())
		if err != nil {
			t.Fatalf("child: %s", lines.Text())
		}
		admitted = append(admitted, n)
		if len(admitted) == 200 {
			if err := cmd.Process.Kill(); err != nil { // and read what it had still printed
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("child: %v", err)
	}
	store := openFile(t, path, options(thisBoot, start))
	if store.Lost() != "" {
		t.Fatal(store.Lost())
	}
	for _, n := range admitted {
		wantUse(t, store, use(n, start), replay.ErrReplayed)
	}
	wantUse(t, store, use(1<<40, start), nil)
}

// runOutOfRoom may not let its file grow, as on a full disk, until the limit is taken away.
func runOutOfRoom(path string) error {
	store, err := replay.OpenFile(path, options(thisBoot, start))
	if err != nil {
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
	var n int
	for n = 0; ; n++ {
		err := store.Use(context.Background(), use(n, start))
		if err == nil {
			continue
		}
		for _, known := range []error{replay.ErrReplayed, replay.ErrFull, replay.ErrLost, replay.ErrReleased} {
			if errors.Is(err, known) {
				return fmt.Errorf("a full disk is told as %w", err)
			}
		}
		if !strings.Contains(err.Error(), "full disk") {
			return fmt.Errorf("the error does not tell what to look for: %w", err)
		}
		break
	}
	if err := store.Use(context.Background(), use(n+1, start)); err == nil {
		return errors.New("admitted without room")
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	for i := n; i < n+100; i++ {
		if err := store.Use(context.Background(), use(i, start)); err != nil {
			return fmt.Errorf("with room again: %w", err)
		}
	}
	for i := range n + 100 {
		if err := store.Use(context.Background(), use(i, start)); !errors.Is(err, replay.ErrReplayed) {
			return fmt.Errorf("use %d again: %w", i, err)
		}
	}
	return store.Close()
}

func TestFileOnFullDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "replay.db")
	if output, err := child(t, "full", path).Output(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	store := openFile(t, path, options(thisBoot, start))
	if store.Lost() != "" {
		t.Fatal(store.Lost())
	}
	wantUse(t, store, use(0, start), replay.ErrReplayed)
}
