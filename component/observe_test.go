package component_test

import (
	"reflect"
	"sync"
	"testing"

	"xtokend/component"
	"xtokend/internal/transcript"
)

func TestEveryAttemptIsObserved(t *testing.T) {
	var mu sync.Mutex
	var got []component.Attempt
	sc := &scene{}
	sc.config.Observe = func(a component.Attempt) {
		mu.Lock()
		defer mu.Unlock()
		a.Acceptance.Step = 0
		got = append(got, a)
	}
	sc.start(t)
	c := sc.dial(t, "websocket")
	c.open()
	c.send(transcript.AuthElement("SCRAM-SHA-1", "", "alice", "x"))
	c.expect("<failure …</failure>")
	c.send(transcript.AuthElement("PLAIN", "", "alice", forged(t, "alice")))
	c.expect("<failure …</failure>")
	c.send(transcript.AuthElement("HMAC", "", "alice", sc.token(t, "alice", -1)))
	c.expect(success)
	want := []component.Attempt{
		{Domain: testDomain, Transport: "websocket", Reason: "invalid-mechanism"},
		{Domain: testDomain, Transport: "websocket", Mechanism: "PLAIN", Reason: "bad-signature"},
		{Domain: testDomain, Transport: "websocket", Mechanism: "HMAC", Reason: component.ReasonOK},
	}
	want[2].Acceptance.Skew = -1
	mu.Lock()
	defer mu.Unlock()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("observed %+v\nwant %+v", got, want)
	}
}

// Bytes are never lost from the sum, whether their session goes on or has ended.
func TestStats(t *testing.T) {
	sc := (&scene{}).start(t)
	silent := sc.dial(t, "tcp")
	silent.open()
	var last *client
	for _, transport := range []string{"bosh", "tls", "tls"} {
		last = sc.dial(t, transport)
		last.login(sc, "alice")
		last.send("<message/>")
		last.expect("<message/>")
	}
	n := int64(len("<message/>"))
	s := sc.front.Stats()
	want := map[component.SessionKind]int{{Domain: testDomain, Transport: "bosh"}: 1, {Domain: testDomain, Transport: "tcp+tls"}: 2}
	if !reflect.DeepEqual(s.Sessions, want) || s.Authenticated() != 3 || s.Unauthenticated != 1 || s.FromClient != 3*n || s.ToClient != 3*n {
		t.Errorf("%+v", s)
	}
	last.send("</stream:stream>")
	last.expect("</stream:stream>")
	last.expectEOF()
	sc.shutdown(t)
	s = sc.front.Stats()
	const end = int64(len("</stream:stream>"))
	if len(s.Sessions) != 0 || s.Unauthenticated != 0 || s.FromClient != 3*n+end || s.ToClient != 3*n+end {
		t.Errorf("after all have ended: %+v", s)
	}
}
