//go:build !linux

package systemd

import "time"

// monotonic is of no use where no systemd is.
func monotonic() time.Duration { return 0 }
