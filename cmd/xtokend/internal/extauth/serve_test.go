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
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"xtokend/cmd/xtokend/internal/extauth"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// packet is what ejabberd writes, of a text that it joins with colons.
func packet(text string) string {
	return string(binary.BigEndian.AppendUint16(nil, uint16(len(text)))) + text
}

// server asks one question at a time: it gives what it says next when it has the
// answer to what it said before.
type server struct {
	says     []string
	answered chan struct{}
	reading  io.Reader // of what was said last; nil: nothing was
	heard    bytes.Buffer
}

func newServer(says ...string) *server {
	return &server{says: says, answered: make(chan struct{}, len(says))}
}

// Read implements [io.Reader].
func (s *server) Read(b []byte) (int, error) {
	for {
		if s.reading != nil {
			if n, err := s.reading.Read(b); err == nil {
				return n, nil
			}
			if len(s.says) == 0 {
				return 0, io.EOF
			}
			<-s.answered
		}
		if len(s.says) == 0 {
			return 0, io.EOF
		}
		s.reading, s.says = strings.NewReader(s.says[0]), s.says[1:]
	}
}

// Write implements [io.Writer].
func (s *server) Write(b []byte) (int, error) {
	defer func() { s.answered <- struct{}{} }()
	return s.heard.Write(b)
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
	const auth = "auth:alice:example.org:" + token
	tooLong := "auth:alice:example.org:" + strings.Repeat("x", extauth.MaxQuestionBytes)
	for _, tc := range []struct {
		name     string
		protocol extauth.Protocol
		asked    []string
		out      string
		troubles int
		tail     string // what is left of a question when the server ends
	}{
		{"ejabberd: a token once", extauth.Ejabberd, []string{auth, auth, "isuser:alice:example.org", "isuser:bob:example.org"}, yes + no + yes + no, 0, ""},
		{"ejabberd: no accounts", extauth.Ejabberd, []string{"setpass:alice:example.org:x", "tryregister:alice:example.org:x", "removeuser:alice:example.org", "removeuser3:alice:example.org:x", "isuser:alice:example.org"}, no + no + no + no + yes, 4, ""},
		{"ejabberd: an outage", extauth.Ejabberd, []string{"auth:outage:example.org:x", auth}, no + yes, 1, ""},
		{"ejabberd: a newline in the password", extauth.Ejabberd, []string{"auth:bob:example.org:x\n" + auth}, no, 0, ""},
		{"ejabberd: an empty question", extauth.Ejabberd, []string{"", auth}, no + yes, 1, ""},
		{"ejabberd: a question that is too long", extauth.Ejabberd, []string{tooLong, auth}, no + yes, 1, ""},
		{"ejabberd: the longest question", extauth.Ejabberd, []string{strings.Repeat("x", 65535), auth}, no + yes, 1, ""},
		{"ejabberd: half a length", extauth.Ejabberd, []string{auth}, yes, 0, "\x00"},
		{"ejabberd: a length alone", extauth.Ejabberd, []string{auth}, yes, 0, "\x00\x05"},
		{"ejabberd: half a question", extauth.Ejabberd, []string{auth}, yes, 0, "\x00\x05auth"},
		{"ejabberd: nothing", extauth.Ejabberd, nil, "", 0, ""},
		{"generic: a token once", extauth.Generic, []string{auth, auth, "isuser:alice:example.org", "isuser:bob:example.org"}, "1\n0\n1\n0\n", 0, ""},
		{"generic: what it does not understand", extauth.Generic, []string{"setpass:alice:example.org:x", "", "hello", auth}, "0\n0\n0\n1\n", 3, ""},
		{"generic: an outage", extauth.Generic, []string{"isuser:outage:example.org", auth}, "0\n1\n", 1, ""},
		{"generic: a question that is too long", extauth.Generic, []string{tooLong, auth}, "0\n1\n", 1, ""},
		{"generic: its rest is no question", extauth.Generic, []string{strings.Repeat("x", 4*extauth.MaxQuestionBytes) + auth}, "0\n", 1, ""},
		{"generic: half a question", extauth.Generic, []string{auth}, "1\n", 0, auth},
		{"generic: nothing", extauth.Generic, nil, "", 0, ""},
	} {
		var says []string
		for _, text := range tc.asked {
			if tc.protocol.String() == extauth.Ejabberd.String() {
				says = append(says, packet(text))
			} else {
				says = append(says, text+"\n")
			}
		}
		if tc.tail != "" {
			says = append(says, tc.tail)
		}
		for pieces, cut := range map[string]func(io.Reader) io.Reader{
			"whole": func(r io.Reader) io.Reader { return r }, "byte by byte": iotest.OneByteReader, "half by half": iotest.HalfReader,
		} {
			t.Run(tc.name+", "+pieces, func(t *testing.T) {
				s := newServer(says...)
				troubles := 0
				a := extauth.Asker{Protocol: tc.protocol, In: cut(s), Out: s, Answer: new(site).answer, Trouble: func(error) { troubles++ }}
				err := a.Serve(t.Context())
				if s.heard.String() != tc.out || troubles != tc.troubles || (err != nil) != (tc.tail != "") {
					t.Errorf("answered %q with %d troubles, %v; want %q with %d", s.heard.String(), troubles, err, tc.out, tc.troubles)
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
			synctest.Test(t, func(t *testing.T) {
				s := newServer("isuser:alice:example.org\n", "isuser:bob:example.org\n")
				if tc.protocol.String() == extauth.Ejabberd.String() {
					s = newServer(packet("isuser:alice:example.org"), packet("isuser:bob:example.org"))
				}
				var asked []string
				a := extauth.Asker{Protocol: tc.protocol, In: s, Out: s, Answer: func(ctx context.Context, q extauth.Question) (bool, error) {
					asked = append(asked, q.User)
					if _, bounded := ctx.Deadline(); !bounded {
						t.Error("the answer may take for ever")
					}
					time.Sleep(tc.after) // in the bubble's time
					return true, nil
				}}
				err := a.Serve(t.Context())
				if !tc.late && (err != nil || !slices.Equal(asked, []string{"alice", "bob"})) {
					t.Errorf("in time: %v, asked for %q", err, asked)
				}
				if tc.late && (!errors.Is(err, extauth.ErrLate) || s.heard.Len() > 0 || !slices.Equal(asked, []string{"alice"})) {
					t.Errorf("late: %v, asked for %q, answered %q", err, asked, s.heard.String())
				}
				s.answered <- struct{}{} // it has given up, and the goroutine that reads ends
			})
		})
	}
}

// A server that does not look for line ends writes two questions if a password has one.
// The answer to the second would wait for the next client.
func TestNoAnswerIsGivenOutOfTurn(t *testing.T) {
	const good = "auth:alice:example.org:" + token
	for name, tc := range map[string]struct {
		protocol extauth.Protocol
		in       string
	}{
		"a line end in a password":       {extauth.Generic, "auth:alice:example.org:x\n" + good + "\n"},
		"the right password first":       {extauth.Generic, good + "\nauth:alice:example.org:x\n"},
		"a question that cannot be read": {extauth.Generic, "\n" + good + "\n"},
		"two questions":                  {extauth.Ejabberd, packet(good) + packet(good)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				in, w := io.Pipe()
				var out bytes.Buffer
				known := new(site)
				a := extauth.Asker{Protocol: tc.protocol, In: in, Out: &out, Answer: func(ctx context.Context, q extauth.Question) (bool, error) {
					synctest.Wait() // until all that the server has written was read
					return known.answer(ctx, q)
				}, Trouble: func(error) { synctest.Wait() }}
				go io.WriteString(w, tc.in)
				if err := a.Serve(t.Context()); !errors.Is(err, extauth.ErrOutOfTurn) || out.Len() > 0 {
					t.Errorf("answered %q, %v", out.String(), err)
				}
				w.Close()
			})
		})
	}
}

func TestServingEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, w := io.Pipe()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		a := extauth.Asker{Protocol: extauth.Ejabberd, In: in, Answer: new(site).answer}
		go func() { ended <- a.Serve(ctx) }()
		synctest.Wait()
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		w.Close()
	})
}

func TestAServerThatReadsNoMore(t *testing.T) {
	r, w := io.Pipe()
	r.Close()
	a := extauth.Asker{Protocol: extauth.Generic, In: strings.NewReader("isuser:alice:example.org\n"), Out: w, Answer: new(site).answer}
	if err := a.Serve(t.Context()); !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
}

// reference frames by another way of reading: all at once. The rest is no whole question.
func reference(protocol extauth.Protocol, in string) (framed, questions []string, rest string) {
	for {
		n := strings.IndexByte(in, '\n') + 1
		begin, end := 0, n-1
		if protocol.String() == extauth.Ejabberd.String() {
			n = 0
			if len(in) >= 2 {
				begin, end = 2, 2+int(in[0])<<8+int(in[1])
				n = end
			}
		}
		if n == 0 || n > len(in) {
			return framed, questions, in
		}
		framed, questions = append(framed, in[:n]), append(questions, in[begin:end])
		in = in[n:]
	}
}

// FuzzServe: each whole question gets one answer, and yes is said to none but those
// that were answered so.
func FuzzServe(f *testing.F) {
	const auth = "auth:alice:example.org:" + token
	for _, text := range []string{"", auth + "\n", "isuser:a:b\nsetpass:a:b:c\n", packet(auth), packet("isuser:a:b") + packet(""), "\x00", "\x00\x01", "\xff\xff" + auth} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, in string) {
		for _, protocol := range []extauth.Protocol{extauth.Ejabberd, extauth.Generic} {
			framed, questions, rest := reference(protocol, in)
			s := newServer(framed...)
			if rest != "" {
				s = newServer(append(framed, rest)...)
			}
			var asked []extauth.Question
			a := extauth.Asker{Protocol: protocol, In: iotest.HalfReader(s), Out: s, Answer: func(_ context.Context, q extauth.Question) (bool, error) {
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
			for _, text := range questions {
				q, ok := extauth.Parse(text)
				if ok {
					wanted = append(wanted, q)
				}
				want.WriteString(said[ok])
			}
			if s.heard.String() != want.String() || !slices.Equal(asked, wanted) {
				t.Errorf("%s: %q answered %q, want %q; asked %+v, want %+v", protocol, in, s.heard.String(), want.String(), asked, wanted)
			}
		}
	})
}
