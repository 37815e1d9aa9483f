package replay_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
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
	children := map[string]func(path string) error{"use": useForEver, "rewrite": rewriteForEver, "full": runOutOfRoom}
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
	return admitForEver(store, func(n int) replay.Use { return use(n, start) })
}

// rewriteForEver does so in steps that advance, with a log that is rewritten all the time.
func rewriteForEver(path string) error {
	store, err := replay.OpenRewriting(path, options(thisBoot, start), 4<<10)
	if err != nil {
		return err
	}
	return admitForEver(store, advancing)
}

// advancing is the nth use of a clock that goes on by one step with 20 uses, and of a window that holds the uses of all
// callers.
func advancing(n int) replay.Use {
	u := use(n, start+int64(n/20))
	u.Window.First -= 20
	return u
}

func admitForEver(store replay.Store, nth func(n int) replay.Use) error {
	var mu sync.Mutex
	failed := make(chan error)
	for caller := range 4 {
		go func() {
			for n := caller; ; n += 4 {
				if err := store.Use(context.Background(), nth(n)); errors.Is(err, replay.ErrReleased) {
					continue
				} else if err != nil {
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

// killed lets a child use tokens, kills it when it has used some, and returns those it was told of.
func killed(t *testing.T, what, path string, uses int) (admitted []int) {
	t.Helper()
	cmd := child(t, what, path)
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		n, err := strconv.Atoi(lines.Text())
		if err != nil {
			t.Fatalf("child: %s", lines.Text())
		}
		admitted = append(admitted, n)
		if len(admitted) == uses {
			if err := cmd.Process.Kill(); err != nil { // and read what it had still printed
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("child: %v", err)
	}
	return admitted
}

func TestFileKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "replay.db")
	admitted := killed(t, "use", path, 200)
	store := openFile(t, path, options(thisBoot, start))
	if store.Lost() != "" {
		t.Fatal(store.Lost())
	}
	for _, n := range admitted {
		wantUse(t, store, use(n, start), replay.ErrReplayed)
	}
	wantUse(t, store, use(1<<40, start), nil)
}

// The kill comes at any moment of a rewrite, or between two.
func TestFileKilledWhileRewriting(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range 10 {
		path := filepath.Join(t.TempDir(), "replay.db")
		admitted := killed(t, "rewrite", path, 500+random.IntN(1000))
		store := openFile(t, path, options(thisBoot, start))
		if store.Lost() != "" {
			t.Fatal(store.Lost())
		}
		for _, n := range admitted {
			err := store.Use(context.Background(), advancing(n))
			if !errors.Is(err, replay.ErrReplayed) && !errors.Is(err, replay.ErrReleased) {
				t.Errorf("use %d again: %v", n, err)
			}
		}
		info, err := os.Stat(path)
		if err != nil || info.Size() > 1<<20 {
			t.Errorf("after %d uses: %v, %v", len(admitted), info, err)
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
	}
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
