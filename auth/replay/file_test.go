package replay_test

import "os"

func runChild() { _ = os.Args }
