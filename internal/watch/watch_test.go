package watch_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"xtokend/internal/watch"
)

func TestWait(t *testing.T) {
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tt := range []struct {
		name   string
		ctx    context.Context
		writes []string // while Wait waits
		text   string
		offset int
		want   error
	}{
		{name: "in one write", ctx: t.Context(), writes: []string{"now ready."}, text: "ready"},
		{name: "across writes", ctx: t.Context(), writes: []string{"now re", "ady."}, text: "ready"},
		{name: "reaching before the offset", ctx: t.Context(), writes: []string{"ready"}, text: "-ready", offset: 1, want: io.ErrUnexpectedEOF},
		{name: "right behind the offset", ctx: t.Context(), writes: []string{"ready"}, text: "ready", offset: 1},
		{name: "never", ctx: t.Context(), writes: []string{"no"}, text: "ready", want: io.ErrUnexpectedEOF},
		{name: "context ended", ctx: canceled, text: "ready", want: context.Canceled},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var o watch.Output
			o.Write([]byte("-")) // so that an offset of 1 exists
			waited := make(chan error)
			go func() { waited <- o.Wait(tt.ctx, tt.text, tt.offset) }()
			if tt.ctx.Err() == nil {
				for _, text := range tt.writes {
					o.Write([]byte(text))
				}
				o.Close()
			}
			if err := <-waited; !errors.Is(err, tt.want) {
				t.Errorf("Wait returned %v, want %v", err, tt.want)
			}
		})
	}
}

func TestWaitFindsWhatWasWrittenBefore(t *testing.T) {
	var o watch.Output
	io.WriteString(&o, "first ")
	offset := o.Len()
	io.WriteString(&o, "second")
	if err := o.Wait(t.Context(), "second", offset); err != nil {
		t.Error(err)
	}
	if got := string(o.Bytes()); got != "first second" {
		t.Errorf("Bytes() = %q", got)
	}
}
