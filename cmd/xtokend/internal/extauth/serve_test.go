package extauth_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"xtokend/cmd/xtokend/internal/extauth"
)

// packets is what ejabberd writes, of texts that it joins with colons.
func packets(texts ...string) string {
	var b []byte
	for _, text := range texts {
		b = binary.BigEndian.AppendUint16(b, uint16(len(text)))
		b = append(b, text...)
	}
	return string(b)
}

const (
	yes = "\x00\x02\x00\x01"
	no  = "\x00\x02\x00\x00"
)

// site knows alice, and accepts her token once.
type site struct{ spent bool }

func (s *site) answer(_ context.Context, q extauth.Question) (bool, error) {
	switch {
	case q.User == "outage":
		return true, errors.New("nobody can tell")
	case q.Verb == extauth.UserExists:
		return q.User == "alice" && q.Server == "example.org", nil
	}
	good := !s.spent && q.User == "alice" && q.Server == "example.org" && q.Password == token
	s.spent = s.spent || good
	return good, nil
}

// Each dialogue is one that the servers' own documents describe.
func TestDialogues(t *testing.T) {
	auth := "auth:alice:example.org:" + token
	tooLong := "auth:alice:example.org:" + strings.Repeat("x", extauth.MaxQuestionBytes)
	for _, tc := range []struct {
		name     string
		protocol extauth.Protocol
		in, out  string
		troubles int
		torn     bool
	}{
		{"ejabberd: a token once", extauth.Ejabberd, packets(auth, auth, "isuser:alice:example.org", "isuser:bob:example.org"), yes + no + yes + no, 0, false},
		{"ejabberd: no accounts", extauth.Ejabberd, packets("setpass:alice:example.org:x", "tryregister:alice:example.org:x", "removeuser:alice:example.org", "removeuser3:alice:example.org:x", "isuser:alice:example.org"), no + no + no + no + yes, 4, false},
		{"ejabberd: an outage", extauth.Ejabberd, packets("auth:outage:example.org:x", auth), no + yes, 1, false},
		{"ejabberd: a newline in the password", extauth.Ejabberd, packets("auth:bob:example.org:x\n" + auth), no, 0, false},
		{"ejabberd: an empty question", extauth.Ejabberd, packets("", auth), no + yes, 1, false},
		{"ejabberd: a question that is too long", extauth.Ejabberd, packets(tooLong, auth), no + yes, 1, false},
		{"ejabberd: the longest question", extauth.Ejabberd, packets(strings.Repeat("x", 65535), auth), no + yes, 1, false},
		{"ejabberd: half a length", extauth.Ejabberd, packets(auth) + "\x00", yes, 0, true},
		{"ejabberd: a length alone", extauth.Ejabberd, packets(auth) + "\x00\x05", yes, 0, true},
		{"ejabberd: half a question", extauth.Ejabberd, packets(auth) + "\x00\x05auth", yes, 0, true},
		{"ejabberd: nothing", extauth.Ejabberd, "", "", 0, false},
		{"generic: a token once", extauth.Generic, auth + "\n" + auth + "\nisuser:alice:example.org\nisuser:bob:example.org\n", "1\n0\n1\n0\n", 0, false},
		{"generic: what it does not understand", extauth.Generic, "setpass:alice:example.org:x\n\nhello\n" + auth + "\n", "0\n0\n0\n1\n", 3, false},
		{"generic: an outage", extauth.Generic, "isuser:outage:example.org\n" + auth + "\n", "0\n1\n", 1, false},
		{"generic: a question that is too long", extauth.Generic, tooLong + "\n" + auth + "\n", "0\n1\n", 1, false},
		{"generic: its rest is no question", extauth.Generic, strings.Repeat("x", 4*extauth.MaxQuestionBytes) + auth + "\n", "0\n", 1, false},
		{"generic: half a question", extauth.Generic, auth + "\n" + auth, "1\n", 0, true},
		{"generic: nothing", extauth.Generic, "", "", 0, false},
	} {
		for reading, in := range map[string]io.Reader{
			"whole": strings.NewReader(tc.in), "byte by byte": iotest.OneByteReader(strings.NewReader(tc.in)), "with the end": iotest.DataErrReader(strings.NewReader(tc.in)),
		} {
			t.Run(tc.name+", "+reading, func(t *testing.T) {
				var out bytes.Buffer
				troubles := 0
				a := extauth.Asker{Protocol: tc.protocol, In: in, Out: &out, Answer: new(site).answer, Trouble: func(error) { troubles++ }}
				err := a.Serve(t.Context())
				if out.String() != tc.out || troubles != tc.troubles || (err != nil) != tc.torn {
					t.Errorf("answered %q with %d troubles, %v; want %q with %d", out.String(), troubles, err, tc.out, tc.troubles)
				}
			})
		}
	}
}

// A late answer would be taken for the answer to the next question, which may be
// somebody else's.
func TestNoAnswerIsGivenLate(t *testing.T) {
	for _, tc := range []struct {
		protocol extauth.Protocol
		after    time.Duration
		late     bool
	}{
		{extauth.Generic, 4500 * time.Millisecond, false},
		{extauth.Generic, 4501 * time.Millisecond, true},
		{extauth.Ejabberd, 8500 * time.Millisecond, false},
		{extauth.Ejabberd, 8501 * time.Millisecond, true},
	} {
		t.Run(fmt.Sprint(tc.protocol, " after ", tc.after), func(t *testing.T) {
			at := time.Unix(1551193138, 0)
			in := "isuser:alice:example.org\nisuser:bob:example.org\n"
			if tc.protocol.String() == extauth.Ejabberd.String() {
				in = packets("isuser:alice:example.org", "isuser:bob:example.org")
			}
			var out bytes.Buffer
			var asked []string
			a := extauth.Asker{Protocol: tc.protocol, In: strings.NewReader(in), Out: &out, Now: func() time.Time { return at },
				Answer: func(ctx context.Context, q extauth.Question) (bool, error) {
					asked = append(asked, q.User)
					if _, bounded := ctx.Deadline(); !bounded {
						t.Error("the answer may take for ever")
					}
					at = at.Add(tc.after)
					return true, nil
				}}
			err := a.Serve(t.Context())
			if !tc.late && (err != nil || !slices.Equal(asked, []string{"alice", "bob"})) {
				t.Errorf("in time: %v, asked for %q", err, asked)
			}
			if tc.late && (!errors.Is(err, extauth.ErrLate) || out.Len() > 0 || !slices.Equal(asked, []string{"alice"})) {
				t.Errorf("late: %v, asked for %q, answered %q", err, asked, out.String())
			}
		})
	}
}

func TestAServerThatReadsNoMore(t *testing.T) {
	r, w := io.Pipe()
	r.Close()
	a := extauth.Asker{Protocol: extauth.Generic, In: strings.NewReader("isuser:alice:example.org\n"), Out: w, Answer: new(site).answer}
	if err := a.Serve(t.Context()); !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
}

// reference frames by another way of reading: all at once.
func reference(protocol extauth.Protocol, in []byte) (questions []string) {
	if protocol.String() == extauth.Generic.String() {
		lines := strings.Split(string(in), "\n")
		return lines[:len(lines)-1]
	}
	for len(in) >= 2 {
		n := int(in[0])<<8 | int(in[1])
		if len(in) < 2+n {
			break
		}
		questions = append(questions, string(in[2:2+n]))
		in = in[2+n:]
	}
	return questions
}

// FuzzServe: each whole question gets one answer, and yes is said to none but those
// that were answered so.
func FuzzServe(f *testing.F) {
	auth := "auth:alice:example.org:" + token
	for _, text := range []string{"", auth + "\n", "isuser:a:b\nsetpass:a:b:c\n", packets(auth), packets("isuser:a:b", ""), "\x00", "\x00\x01", "\xff\xff" + auth} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		for _, protocol := range []extauth.Protocol{extauth.Ejabberd, extauth.Generic} {
			var out bytes.Buffer
			var asked []extauth.Question
			a := extauth.Asker{Protocol: protocol, In: iotest.HalfReader(bytes.NewReader(in)), Out: &out, Answer: func(_ context.Context, q extauth.Question) (bool, error) {
				asked = append(asked, q)
				return true, nil
			}}
			a.Serve(t.Context()) // the error is for a torn end
			said := map[bool]string{true: yes, false: no}
			if protocol.String() == extauth.Generic.String() {
				said = map[bool]string{true: "1\n", false: "0\n"}
			}
			var want strings.Builder
			var wanted []extauth.Question
			for _, text := range reference(protocol, in) {
				q, ok := extauth.Parse(text)
				if ok {
					wanted = append(wanted, q)
				}
				want.WriteString(said[ok])
			}
			if out.String() != want.String() || !slices.Equal(asked, wanted) {
				t.Errorf("%s: %q answered %q, want %q; asked %+v, want %+v", protocol, in, out.String(), want.String(), asked, wanted)
			}
		}
	})
}
