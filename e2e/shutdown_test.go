package e2e

import (
	"errors"
	"io"
	"syscall"
	"testing"
)

func TestSIGTERMEndsEveryStreamWithSystemShutdown(t *testing.T) {
	onEachServer(t, func(t *testing.T, behind upstream) {
		s := newSiteOn(t, behind, nil)
		streams := map[string]*stream{}
		for _, service := range s.allServices() {
			streams["online, "+service.name] = s.mustBind("alice", service)
			streams["not authenticated, "+service.name] = s.mustOpen(service)
		}
		s.front.signal(t, syscall.SIGTERM)
		for name, stream := range streams {
			err := readToEnd(stream)
			if condition := streamError("system-shutdown"); !errors.Is(err, condition) {
				t.Errorf("%s: the stream ended with %v", name, err)
				continue
			}
			if _, err := stream.read(); !errors.Is(err, io.EOF) {
				t.Errorf("%s: the stream error is followed by %v instead of the stream's end", name, err)
			}
		}
		if status := s.front.wait(s.ctx, t); status != 0 {
			t.Errorf("the exit status is %d", status)
		}
	})
}

// A client that neither reads nor closes does not keep the front alive.
func TestSIGTERMEndsTheFrontThoughAClientNeitherReadsNorCloses(t *testing.T) {
	onEachServer(t, func(t *testing.T, behind upstream) {
		s := newSiteOn(t, behind, nil)
		s.mustBind("alice", s.service("xmpp"))
		s.front.signal(t, syscall.SIGTERM)
		if status := s.front.wait(s.ctx, t); status != 0 {
			t.Errorf("the exit status is %d", status)
		}
	})
}

// readToEnd reads until the stream fails and returns why.
func readToEnd(s *stream) error {
	for {
		if _, err := s.read(); err != nil {
			return err
		}
	}
}
