package systemd_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"xtokend/cmd/xtokend/internal/systemd"
)

// While nothing comes back from a look, nothing is told; afterwards it goes on.
func TestBeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		ctx, stop := context.WithCancel(t.Context())
		var told []time.Duration
		hang := make(chan struct{})
		look := func() time.Duration {
			at := time.Since(began)
			if at == 2*time.Minute {
				<-hang
			}
			return at
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			systemd.Beat(ctx, time.Minute, look, func(at time.Duration) { told = append(told, at) })
		}()
		time.Sleep(90 * time.Second)
		synctest.Wait()
		if want := []time.Duration{0, time.Minute}; !slices.Equal(told, want) {
			t.Errorf("told at %v, want %v", told, want)
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if len(told) != 2 {
			t.Errorf("told at %v, though nothing came back at 2m", told)
		}
		close(hang)
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(told) < 4 {
			t.Errorf("told at %v, and then no more", told)
		}
		stop()
		<-ended
	})
}

// Who is told to end does not wait for a look that hangs.
func TestBeatEndsThoughALookHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		hang := make(chan struct{})
		go func() {
			synctest.Wait()
			stop()
		}()
		systemd.Beat(ctx, time.Minute, func() bool { <-hang; return true }, func(bool) { t.Error("told") })
		close(hang)
	})
}
