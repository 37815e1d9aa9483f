//go:build unix

package main

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// atTerminal tells whether the process belongs to the group that a terminal's
// interrupts are for.
func atTerminal() bool {
	terminal, err := os.OpenFile("/dev/tty", os.O_RDONLY|syscall.O_NOCTTY, 0)
	if err != nil {
		return false
	}
	defer terminal.Close()
	foreground, err := unix.IoctlGetInt(int(terminal.Fd()), unix.TIOCGPGRP)
	return err == nil && foreground == unix.Getpgrp()
}

// leadGroup has the command lead a process group of its own from its start on.
func (c *command) leadGroup() {
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	adoptOrphans()
}

// signalGroup sends s to whatever there is of the command's group.
func (c *command) signalGroup(s syscall.Signal) { unix.Kill(-c.Process.Pid, s) }

// hasGroup tells whether anything is left of the group of a command that has ended.
func (c *command) hasGroup() bool {
	for { // of its orphans, those that have ended
		if pid, err := unix.Wait4(-c.Process.Pid, nil, unix.WNOHANG, nil); err != nil || pid == 0 {
			break
		}
	}
	return !errors.Is(unix.Kill(-c.Process.Pid, 0), unix.ESRCH)
}
