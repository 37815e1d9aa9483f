package replay

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// counted is a disk that counts writes.
type counted struct {
	disk
	writes int
}

func (d *counted) WriteAt(octets []byte, at int64) (int, error) {
	d.writes++
	return d.disk.WriteAt(octets, at)
}

// BenchmarkUse is one use, with that many callers for each processor at once.
func BenchmarkUse(b *testing.B) {
	for _, callers := range []int{1, 8, 32} {
		b.Run(fmt.Sprintf("memory/callers=%d", callers), func(b *testing.B) {
			store := NewMemory(MemoryOptions{})
			defer store.Close()
			benchmarkUse(b, store, callers)
		})
		b.Run(fmt.Sprintf("file/callers=%d", callers), func(b *testing.B) {
			f := openTest(b, filepath.Join(b.TempDir(), "replay.db"))
			disk := &counted{disk: f.log.file}
			f.log.file, f.rewriteAt = disk, math.MaxInt64 // another file would not be counted
			benchmarkUse(b, f, callers)
			if err := f.Close(); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(b.N)/float64(disk.writes), "uses/write")
		})
	}
}

// usesPerStep is what a site of 1,000 logins in a second has.
const usesPerStep = 1000 * StepSeconds

func benchmarkUse(b *testing.B, store Store, callers int) {
	var n atomic.Uint64
	b.SetParallelism(callers)
	b.ReportAllocs()
	before := processorTime(b)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			nth := n.Add(1)
			step := testStep + int64(nth/usesPerStep)
			// A caller that is held up must not come too late.
			u := Use{Domain: "example.org", Address: "alice", Step: step, Window: Window{First: step - 20, Current: step, Last: step + 1}}
			binary.BigEndian.PutUint64(u.ID[:], nth)
			if err := store.Use(context.Background(), u); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(processorTime(b)-before)/float64(b.N), "cpu-ns/op")
}

// processorTime is what this process has had of the processors, the system's work for it included.
func processorTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkRewrite is a rewrite with that many live uses: all others wait for so long.
func BenchmarkRewrite(b *testing.B) {
	for _, uses := range []int{10_000, DefaultMax} {
		b.Run(fmt.Sprintf("uses=%d", uses), func(b *testing.B) {
			f := openTest(b, filepath.Join(b.TempDir(), "replay.db"))
			for n := range uses {
				u := testUse(n, testStep)
				if err := f.ledger.use(&u); err != nil {
					b.Fatal(err)
				}
			}
			for b.Loop() {
				before := f.log
				f.rewrite()
				if f.log == before {
					b.Fatal("it has failed")
				}
			}
		})
	}
}
