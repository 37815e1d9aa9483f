//go:build !linux

package replay

import "os"

// syncWrites has each write wait until it is on disk.
const syncWrites = os.O_SYNC
