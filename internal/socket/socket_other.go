//go:build !linux

package socket

const known = false

func (t *transfer) read(uintptr) bool  { panic("socket: unknown system") }
func (t *transfer) write(uintptr) bool { panic("socket: unknown system") }
