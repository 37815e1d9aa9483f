package prosody

import (
	"fmt"
	"path/filepath"
	"strings"
)

// accountFile is where Prosody's internal storage keeps an account. It writes
// every byte but letters and digits as a percent escape.
func (p Program) accountFile(localpart string) string {
	encode := func(name string) string {
		var b strings.Builder
		for _, c := range []byte(name) {
			switch {
			case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
				b.WriteByte(c)
			default:
				fmt.Fprintf(&b, "%%%02x", c)
			}
		}
		return b.String()
	}
	return filepath.Join(p.Data, encode(p.Domain), "accounts", encode(localpart)+".dat")
}
