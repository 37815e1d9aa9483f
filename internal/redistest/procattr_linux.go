package redistest

import "syscall"

// sysProcAttr ends the server together with the thread that started it, so
// that a test that panics or runs out of time leaves nothing behind.
func sysProcAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
