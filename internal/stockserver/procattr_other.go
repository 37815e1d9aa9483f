//go:build !linux

package stockserver

import "syscall"

func sysProcAttr() *syscall.SysProcAttr { return nil }
