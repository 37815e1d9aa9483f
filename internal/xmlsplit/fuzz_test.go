package xmlsplit_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"xtokend/internal/xmlsplit"
)

func seed(f *testing.F) {
	for _, tc := range units {
		input := ""
		if tc.inside {
			input = "<s>"
		}
		for _, u := range tc.want {
			input += u.Text
		}
		f.Add(input+tc.rest, uint16(len(input)/2), uint16(len(input)), tc.relay, uint8(0), uint8(0))
	}
	f.Add(header+"<a b='>'><![CDATA[]]]]></a>", uint16(3), uint16(200), false, uint8(80), uint8(1))
}

// FuzzScan: the units do not depend on how the input is cut, no limit is
// passed, and where encoding/xml accepts a stream it finds the same units.
func FuzzScan(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, input string, a, b uint16, relay bool, most, depth uint8) {
		limits := xmlsplit.Limits{ElementBytes: int(most), Depth: int(depth)}
		fresh := func() *xmlsplit.Scanner { return &xmlsplit.Scanner{Limits: limits, Relay: relay} }
		whole := scan(fresh(), input)
		cuts := []int{min(int(a), len(input)), min(int(b), len(input))}
		if cuts[0] > cuts[1] {
			cuts[0], cuts[1] = cuts[1], cuts[0]
		}
		equal(t, whole, scan(fresh(), input, cuts...))
		var every []int
		for cut := range len(input) {
			every = append(every, cut)
		}
		equal(t, whole, scan(fresh(), input, every...))

		for _, u := range whole.Units {
			if most > 0 && len(u.Text) > int(most) && !(relay && u.Kind == xmlsplit.Space) {
				t.Errorf("unit of %d bytes, at most %d allowed", len(u.Text), most)
			}
		}
		if most > 0 && len(whole.Rest) > int(most) {
			t.Errorf("%d bytes of a begun unit, at most %d allowed", len(whole.Rest), most)
		}
		compare(t, &xmlsplit.Scanner{Relay: relay}, input)
	})
}

// FuzzReader: a Reader returns what a Scanner finds, however the bytes arrive,
// and its buffer stays within the limit.
func FuzzReader(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, input string, a, b uint16, _ bool, most, depth uint8) {
		limits := xmlsplit.Limits{ElementBytes: int(most), Depth: int(depth)}
		want := scan(&xmlsplit.Scanner{Limits: limits}, input)
		r := xmlsplit.NewReader(&chunks{input, 1 + int(a)%17, 1 + int(b)%5}, limits)
		for _, u := range want.Units {
			if u.Kind == xmlsplit.Space {
				continue
			}
			k, got, err := r.Next()
			if errors.Is(err, xmlsplit.ErrNotWellFormed) && u.Kind == xmlsplit.End {
				return // its name is not the root's
			}
			if k != u.Kind || !bytes.Equal(got, []byte(u.Text)) || err != nil {
				t.Fatalf("Next() = %v, %q, %v; want %v, %q", k, got, err, u.Kind, u.Text)
			}
			if most > 0 && len(got)+len(r.Buffered()) > int(most)+1 {
				t.Fatalf("%d bytes held, limit %d", len(got)+len(r.Buffered()), most)
			}
		}
		k, got, err := r.Next()
		if k == xmlsplit.End && len(got) == 0 && err == nil { // of a self-closed root
			_, _, err = r.Next()
		}
		switch {
		case want.Err != nil:
		case want.Rest != "":
			want.Err = io.ErrUnexpectedEOF
		default:
			want.Err = io.EOF
		}
		if !errors.Is(err, want.Err) {
			t.Fatalf("at the end: %v, want %v", err, want.Err)
		}
	})
}

// chunks reads a string in pieces of two sizes by turns.
type chunks struct {
	left string
	a, b int
}

func (c *chunks) Read(p []byte) (int, error) {
	if c.left == "" {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), c.a)], c.left)
	c.left, c.a, c.b = c.left[n:], c.b, c.a
	return n, nil
}
