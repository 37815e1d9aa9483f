//go:build !unix

package main

import "syscall"

// atTerminal is true where there are no process groups to be told apart.
func atTerminal() bool { return true }

func (c *command) leadGroup() {}

func (c *command) signalGroup(syscall.Signal) {}

func (c *command) hasGroup() bool { return false }
