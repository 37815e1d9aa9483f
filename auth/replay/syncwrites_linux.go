package replay

import "golang.org/x/sys/unix"

// syncWrites has each write wait until its octets are on disk, as fdatasync(2) would, in one system call.
const syncWrites = unix.O_DSYNC
