package journal_test

import (
	"fmt"
	"sync"
	"testing"

	"xtokend/component/host/journal"
)

// A message of 200 octets that is put, and waited for before its sender is told.
func BenchmarkPutWait(b *testing.B) {
	for _, callers := range []int{1, 8, 32} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			j := open(b, newPath(b), journal.Options{})
			value := make([]byte, 200)
			b.ReportAllocs()
			b.ResetTimer()
			var all sync.WaitGroup
			for caller := range callers {
				all.Go(func() {
					for n := caller; n < b.N; n += callers {
						j.Put("messages", fmt.Sprintf("%08d", n), value)
						if err := j.Wait(j.Mark(), nil); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			all.Wait()
		})
	}
}
