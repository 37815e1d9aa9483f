package xmlsplit_test

import (
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"xtokend/internal/xmlsplit"
)

// readAll calls Next until it returns an error.
func readAll(r *xmlsplit.Reader) ([]unit, error) {
	var got []unit
	for {
		k, text, err := r.Next()
		if err != nil {
			return got, err
		}
		got = append(got, unit{k, string(text)})
	}
}

func TestReader(t *testing.T) {
	session := []unit{
		{xmlsplit.Header, header},
		{xmlsplit.Element, `<auth mechanism='X-TOKEN'>AGE=</auth>`},
		{xmlsplit.Element, `<iq>` + strings.Repeat("<a b='c'/>", 300) + `</iq>`},
		{xmlsplit.End, `</stream:stream >`},
	}
	for _, tc := range []struct {
		name   string
		input  string
		limits xmlsplit.Limits
		want   []unit
		err    error
	}{
		{name: "nothing", err: io.EOF},
		{name: "session", input: "\n" + session[0].Text + session[1].Text + " \n" + session[2].Text + session[3].Text + "\n", want: session, err: io.EOF},
		{name: "no end", input: `<s> <a/> `, want: []unit{{xmlsplit.Header, `<s>`}, {xmlsplit.Element, `<a/>`}}, err: io.EOF},
		{name: "cut in header", input: `<?xml version='1.0'?>`, err: io.ErrUnexpectedEOF},
		{name: "cut in element", input: `<s><a>`, want: []unit{{xmlsplit.Header, `<s>`}}, err: io.ErrUnexpectedEOF},
		{name: "end of another root", input: `<s:s></s:t>`, want: []unit{{xmlsplit.Header, `<s:s>`}}, err: xmlsplit.ErrNotWellFormed},
		{name: "end of a shorter root", input: `<?xml version='1.0'?> <ss></s>`, want: []unit{{xmlsplit.Header, `<?xml version='1.0'?> <ss>`}}, err: xmlsplit.ErrNotWellFormed},
		{name: "self-closed root", input: "<s/>\n", want: []unit{{xmlsplit.Header, `<s/>`}, {xmlsplit.End, ``}}, err: io.EOF},
		{name: "element behind self-closed root", input: "<s/><a/>", want: []unit{{xmlsplit.Header, `<s/>`}, {xmlsplit.End, ``}}, err: xmlsplit.ErrNotWellFormed},
		{name: "comment", input: `<s><!-- -->`, want: []unit{{xmlsplit.Header, `<s>`}}, err: xmlsplit.ErrRestricted},
		{name: "deep", input: `<s><a><b/></a>`, limits: xmlsplit.Limits{Depth: 1}, want: []unit{{xmlsplit.Header, `<s>`}}, err: xmlsplit.ErrTooDeep},
		{name: "of the limit", input: `<s> <a>` + strings.Repeat("x", 4000-7) + `</a>`, limits: xmlsplit.Limits{ElementBytes: 4000},
			want: []unit{{xmlsplit.Header, `<s>`}, {xmlsplit.Element, `<a>` + strings.Repeat("x", 4000-7) + `</a>`}}, err: io.EOF},
		{name: "beyond the limit", input: `<s> <a>` + strings.Repeat("x", 4001-7) + `</a>`, limits: xmlsplit.Limits{ElementBytes: 4000},
			want: []unit{{xmlsplit.Header, `<s>`}}, err: xmlsplit.ErrTooLong},
		{name: "cut at the limit", input: `<s> <a>` + strings.Repeat("x", 4000-3), limits: xmlsplit.Limits{ElementBytes: 4000},
			want: []unit{{xmlsplit.Header, `<s>`}}, err: io.ErrUnexpectedEOF},
		{name: "whitespace beyond the limit", input: `<s>` + strings.Repeat(" ", 4001), limits: xmlsplit.Limits{ElementBytes: 4000},
			want: []unit{{xmlsplit.Header, `<s>`}}, err: xmlsplit.ErrTooLong},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for how, reader := range map[string]func(io.Reader) io.Reader{
				"whole":           func(r io.Reader) io.Reader { return r },
				"byte by byte":    iotest.OneByteReader,
				"half":            iotest.HalfReader,
				"data with error": iotest.DataErrReader,
			} {
				got, err := readAll(xmlsplit.NewReader(reader(strings.NewReader(tc.input)), tc.limits))
				if diff := cmp.Diff(tc.want, got); diff != "" || !errors.Is(err, tc.err) {
					t.Errorf("%s: %v, want %v\n%s", how, err, tc.err, diff)
				}
			}
		})
	}
}

func TestReaderRandomStreams(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 300 {
		input, units := randomStream(rng)
		var want []unit
		for _, u := range units {
			if u.Kind != xmlsplit.Space {
				want = append(want, u)
			}
		}
		r := xmlsplit.NewReader(&chunks{input, 1 + rng.IntN(40), 1 + rng.IntN(40)}, xmlsplit.Limits{})
		got, err := readAll(r)
		if diff := cmp.Diff(want, got); diff != "" || err != io.EOF {
			t.Fatalf("%q: %v\n%s", input, err, diff)
		}
	}
}

// TestReaderRestart: pipelined bytes outlive a stream restart.
func TestReaderRestart(t *testing.T) {
	first, second := header+`<auth/>`, header+`<iq/>`
	r := xmlsplit.NewReader(strings.NewReader(first+"\n"+second), xmlsplit.Limits{})
	for _, want := range []unit{{xmlsplit.Header, header}, {xmlsplit.Element, `<auth/>`}} {
		if k, text, err := r.Next(); k != want.Kind || string(text) != want.Text || err != nil {
			t.Fatalf("%v, %q, %v", k, text, err)
		}
	}
	if got := string(r.Buffered()); got != "\n"+second {
		t.Errorf("buffered %q", got)
	}
	r.Reset()
	got, err := readAll(r)
	if diff := cmp.Diff([]unit{{xmlsplit.Header, header}, {xmlsplit.Element, `<iq/>`}}, got); diff != "" || err != io.EOF {
		t.Errorf("%v\n%s", err, diff)
	}
}

// TestReaderGoesOnAfterDeadline: a Read that fails inside a unit loses nothing.
func TestReaderGoesOnAfterDeadline(t *testing.T) {
	in, out := io.Pipe()
	defer in.Close()
	go func() {
		for _, p := range []string{"<s><a>", "", "b</a>"} {
			_, _ = out.Write([]byte(p))
		}
		out.Close()
	}()
	r := xmlsplit.NewReader(&deadlines{r: in}, xmlsplit.Limits{})
	var got []unit
	expired := 0
	for {
		k, text, err := r.Next()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			expired++
			continue
		}
		if err != nil {
			break
		}
		got = append(got, unit{k, string(text)})
	}
	if diff := cmp.Diff([]unit{{xmlsplit.Header, "<s>"}, {xmlsplit.Element, "<a>b</a>"}}, got); diff != "" {
		t.Error(diff)
	}
	if expired < 2 {
		t.Errorf("%d deadlines, want one for each piece", expired)
	}
}

// deadlines fails every other Read as a connection does whose deadline passed.
type deadlines struct {
	r    io.Reader
	fail bool
}

func (d *deadlines) Read(p []byte) (int, error) {
	if d.fail = !d.fail; d.fail {
		return 0, os.ErrDeadlineExceeded
	}
	return d.r.Read(p)
}

type emptyReads struct{}

func (emptyReads) Read([]byte) (int, error) { return 0, nil }

func TestReaderGivesUpOnEmptyReads(t *testing.T) {
	if _, _, err := xmlsplit.NewReader(emptyReads{}, xmlsplit.Limits{}).Next(); err != io.ErrNoProgress {
		t.Errorf("got %v", err)
	}
}

// TestReaderReadsNoMoreThanItNeeds: a unit that is whole in the buffer is
// returned without another Read, which could wait for ever.
func TestReaderReadsNoMoreThanItNeeds(t *testing.T) {
	in := iotest.TimeoutReader(strings.NewReader(header + `<a/><b/>`)) // the second Read fails
	r := xmlsplit.NewReader(in, xmlsplit.Limits{})
	for range 3 {
		if _, _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestBufferStaysWithinTheLimit: a peer that never ends its element is stopped
// before more than the limit is held.
func TestBufferStaysWithinTheLimit(t *testing.T) {
	for _, most := range []int{1, 10, 1000, 16384, 262144} {
		r := xmlsplit.NewReader(io.MultiReader(strings.NewReader("<s"), endless('x')), xmlsplit.Limits{ElementBytes: most})
		if _, _, err := r.Next(); !errors.Is(err, xmlsplit.ErrTooLong) {
			t.Errorf("limit %d: %v", most, err)
		}
		if got := xmlsplit.BufferBytes(r); got > most+1 {
			t.Errorf("limit %d: %d bytes held", most, got)
		}
	}
}

type endless byte

func (e endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(e)
	}
	return len(p), nil
}
