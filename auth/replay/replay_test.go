package replay_test

import (
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"xtokend/auth/replay"
	"xtokend/auth/replay/replaytest"
)

func TestMain(m *testing.M) {
	runChild()
	goleak.VerifyTestMain(m)
}

func TestMemory(t *testing.T) {
	replaytest.Run(t, func(t *testing.T, max int) replaytest.Opened {
		store := replay.NewMemory(replay.MemoryOptions{Max: max})
		t.Cleanup(func() {
			if err := store.Close(); err != nil {
				t.Error(err)
			}
		})
		return replaytest.Opened{Store: store}
	})
}

func TestFile(t *testing.T) {
	replaytest.Run(t, func(t *testing.T, max int) replaytest.Opened {
		path := filepath.Join(t.TempDir(), "replay.db")
		store := openFile(t, path, replay.FileOptions{Max: max})
		return replaytest.Opened{
			Store: store,
			Reopen: func() replay.Store {
				if err := store.Close(); err != nil {
					t.Error(err)
				}
				return openFile(t, path, replay.FileOptions{Max: max})
			},
		}
	})
}

// openFile opens a store that loses nothing by being opened, and closes it with the test.
func openFile(t *testing.T, path string, o replay.FileOptions) *replay.File {
	t.Helper()
	store, err := replay.OpenFile(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}
