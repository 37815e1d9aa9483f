package replay_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"xtokend/auth/replay"
)

// A file store refuses after a restart what was used before it.
func ExampleOpenFile() {
	dir, err := os.MkdirTemp("", "replay")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	use := replay.Use{
		Domain:  "example.org",
		Address: "alice",
		ID:      [32]byte{1},
		Step:    51706437,
		Window:  replay.Window{First: 51706436, Current: 51706437, Last: 51706438},
	}
	for range 2 {
		store, err := replay.OpenFile(filepath.Join(dir, "replay.db"), replay.FileOptions{})
		if err != nil {
			fmt.Println(err)
			return
		}
		if reason := store.Lost(); reason != "" {
			fmt.Println("tokens of up to now are refused:", reason)
		}
		fmt.Println(store.Use(context.Background(), use))
		if err := store.Close(); err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// <nil>
	// replay: used before
}
