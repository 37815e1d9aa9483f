//go:build !unix

package admin

// forOwnerAlone does nothing where there is no umask.
func forOwnerAlone() (restore func()) { return func() {} }
