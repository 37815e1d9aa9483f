package httpserver_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"xtokend/cmd/xtokend/internal/httpserver"
	"xtokend/cmd/xtokend/internal/httpservertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var bounds = httpserver.Bounds{
	Connections: 3, HeaderBytes: 4096, BodyBytes: 10, Request: 5 * time.Second, Answer: 7 * time.Second, Idle: 11 * time.Second,
}

// echo answers with the request's body.
func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, "too long", http.StatusRequestEntityTooLarge)
		return
	}
	w.Write(body)
}

// serve returns what a client reads from a server, and the time until it is closed.
func serve(t *testing.T, handler http.HandlerFunc, b httpserver.Bounds, log *slog.Logger, request string) (s *httpserver.Server, answer string, after time.Duration) {
	t.Helper()
	s = httpserver.New(handler, b, nil, log)
	client := httpservertest.Start(t, s).Dial()
	defer client.Close()
	begun := time.Now()
	go io.WriteString(client, request)
	text, _ := io.ReadAll(client)
	return s, string(text), time.Since(begun)
}

// lingering is how long net/http leaves an answer to who has sent too much.
const lingering = 500 * time.Millisecond

func TestBounds(t *testing.T) {
	const post = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n%s\r\n"
	for _, tc := range []struct {
		name, request string
		status        string // "": no answer
		after         time.Duration
	}{
		{"nothing", "", "", 5 * time.Second},
		{"half a header", "GET / HTTP/1.1\r\nHost", "400", 5 * time.Second},
		{"half a body", fmt.Sprintf(post, 10, "") + "12345", "413", 5 * time.Second},
		{"a body of its limit", fmt.Sprintf(post, 10, "Connection: close\r\n") + "1234567890", "200", 0},
		{"a longer body", fmt.Sprintf(post, 11, "") + "12345678901", "413", lingering},
		{"silence behind an answer", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "200", 11 * time.Second},
		{"a header that is too long", "GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 9000) + "\r\n\r\n", "431", lingering},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, answer, after := serve(t, echo, bounds, slog.New(slog.DiscardHandler), tc.request)
				status := ""
				if answer != "" {
					_, status, _ = strings.Cut(answer, " ")
					status = status[:3]
				}
				if status != tc.status || after != tc.after {
					t.Errorf("%q after %v, want %q after %v", answer, after, tc.status, tc.after)
				}
			})
		})
	}
}

func TestTheNextConnectionWaits(t *testing.T) {
	httpservertest.ServesAtMost(t, 3, func() httpservertest.Server {
		return httpserver.New(http.HandlerFunc(echo), bounds, nil, slog.New(slog.DiscardHandler))
	})
}

// Who does not read an answer, or waits for one that does not come, is not kept.
func TestAnswersAreBoundedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		long := bytes.Repeat([]byte("x"), 1<<20)
		s := httpserver.New(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(long) }), bounds, nil, slog.New(slog.DiscardHandler))
		client := httpservertest.Start(t, s).Dial()
		defer client.Close()
		begun := time.Now()
		io.WriteString(client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		in := bufio.NewReader(client)
		in.ReadByte() // the answer has begun
		time.Sleep(bounds.Answer + time.Second)
		n, err := io.Copy(io.Discard, in)
		if err != nil || n >= int64(len(long)) || time.Since(begun) != bounds.Answer+time.Second {
			t.Errorf("%d bytes after %v, %v", n, time.Since(begun), err)
		}
	})
}

// A fault ends its request without an answer, and no other.
func TestAFaultEndsOneRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		faulty := func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "4")
			w.Write([]byte("true"))
			panic("a fault")
		}
		s, answer, after := serve(t, faulty, bounds, slog.New(slog.NewTextHandler(&log, nil)), "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		if answer != "" || after != 0 || s.Panics() != 1 {
			t.Errorf("answered %q after %v; %d panics", answer, after, s.Panics())
		}
		if !strings.Contains(log.String(), `level=ERROR msg="a fault in the program ended a request; please report it" panic="a fault" stack=`) {
			t.Errorf("log:\n%s", log.String())
		}
	})
}

func TestClosingBreaksOffWhatIsBeingAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left := make(chan struct{})
		s := httpserver.New(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			close(left)
		}), bounds, nil, slog.New(slog.DiscardHandler))
		client := httpservertest.Start(t, s).Dial()
		defer client.Close()
		io.WriteString(client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		synctest.Wait()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		<-left
		if text, _ := io.ReadAll(client); len(text) > 0 {
			t.Errorf("answered %q", text)
		}
	})
}
