package bosh_test

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"xtokend/internal/bosh"
)

// base is the rid of creation requests; scripts count from it.
const base = 1000

var config = bosh.Config{
	Wait: 60 * time.Second, Inactivity: 75 * time.Second, PollingInactivity: 90 * time.Second,
	Polling: 5 * time.Second, MaxPause: 120 * time.Second,
	OutBytes: 3*bosh.UnitOverhead + 20, InBytes: 3*bosh.UnitOverhead + 10, ResponseBytes: 3*bosh.UnitOverhead + 30,
}

var errFault = errors.New("payload that breaks a rule")

// A script is played to a session. Rids are counted from that of the creation
// request, 0. Units are words.
//
//	room OUT IN            so many units, short ones, may wait for the client and to
//	                       be read; 3 each unless a script begins with this
//	create ATTR…: UNIT…    the creation request
//	> RID ATTR…: UNIT…     a request; a repeated one is called RID' in the rest
//	< RID ATTR…: UNIT…     the reply to it. After each other line, these must be
//	                       all replies there are
//	send UNIT              a unit for the client; also full, if there must be no
//	                       room for it, and broken, if there is nobody left
//	read UNIT              the next unit from the client; also nothing, fault, EOF,
//	                       or a condition
//	gone RID               the connection of a request is lost
//	after DURATION         time passes
//	end CONDITION UNIT     our side ends the session; '-' is none
//	over WHY               the session is over; '-' if it is not
//	open, authenticated    the stream is opened, the client logged in
//	invalid CONDITION      a body that breaks a rule
//	abort CONDITION        the session ends at once
type player struct {
	t       *testing.T
	now     time.Time
	config  bosh.Config
	session *bosh.Session
	handles map[string]bosh.Handle // of requests as the script calls them
	names   map[bosh.Handle]string
	replies []string
}

func play(t *testing.T, script string) {
	t.Helper()
	p := &player{t: t, config: config, now: time.Unix(1700000000, 0), handles: map[string]bosh.Handle{}, names: map[bosh.Handle]string{}}
	for line := range strings.Lines(script) {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if want, ok := strings.CutPrefix(line, "< "); ok {
			if len(p.replies) == 0 {
				t.Fatalf("no reply, want %q", want)
			}
			if p.replies[0] != want {
				t.Fatalf("replies are %q, want %q first", p.replies, want)
			}
			p.replies = p.replies[1:]
			continue
		}
		if len(p.replies) > 0 {
			t.Fatalf("before %q nobody expects %q", line, p.replies)
		}
		if p.do(line); p.session != nil {
			p.collect()
		}
	}
	if len(p.replies) > 0 {
		t.Fatalf("at the end nobody expects %q", p.replies)
	}
}

func (p *player) do(line string) {
	p.t.Helper()
	verb, rest, _ := strings.Cut(line, " ")
	if verb == "create" || strings.HasPrefix(verb, "create:") {
		verb, rest = "create", strings.TrimPrefix(line, "create")
	}
	switch verb {
	case "room":
		var out, in int
		fmt.Sscan(rest, &out, &in)
		p.config.OutBytes, p.config.InBytes = out*bosh.UnitOverhead+20, in*bosh.UnitOverhead+10
	case "create":
		r := p.request("0", rest)
		p.session = bosh.New(p.config, "SID", p.handle("0"), r, p.now)
	case ">":
		name, attrs, _ := strings.Cut(rest, " ")
		if n, _, ok := strings.Cut(name, ":"); ok {
			name, attrs = n, rest[len(n):]
		}
		p.session.Receive(p.handle(name), p.request(name, attrs), p.now)
	case "send", "full":
		ok, err := p.session.Send([]byte(rest), p.now)
		if err != nil || ok != (verb == "send") {
			p.t.Fatalf("%s: %v, %v", line, ok, err)
		}
	case "broken":
		if ok, err := p.session.Send([]byte(rest), p.now); err == nil {
			p.t.Fatalf("%s: %v, no error", line, ok)
		}
	case "read":
		unit, err := p.session.Read(p.now)
		got := string(unit)
		switch c := bosh.Condition(""); {
		case errors.As(err, &c):
			got = string(c)
		case err == io.EOF:
			got = "EOF"
		case err == errFault:
			got = "fault"
		case err == nil && unit == nil:
			got = "nothing"
		}
		if got != rest {
			p.t.Fatalf("%s: %s, %v", line, got, err)
		}
	case "gone":
		p.session.Gone(p.handles[rest], p.now)
	case "after":
		d, err := time.ParseDuration(rest)
		if err != nil {
			p.t.Fatal(err)
		}
		p.pass(p.now.Add(d))
	case "end":
		condition, last, _ := strings.Cut(rest, " ")
		if condition == "-" {
			condition = ""
		}
		p.session.End(bosh.Condition(condition), optional(last), p.now)
	case "over":
		if got := why(p.session.Err()); got != rest {
			p.t.Fatalf("the session is over for %q, want %q", got, rest)
		}
	case "open":
		p.session.Open(bosh.Opening{From: "example.org", AuthID: "ID"})
	case "authenticated":
		p.session.Authenticated()
	case "abort":
		p.session.Abort(bosh.Condition(rest))
	case "invalid":
		p.session.Invalid(p.handle("invalid"), bosh.Condition(rest))
	default:
		p.t.Fatalf("a script has the line %q", line)
	}
}

// pass lets time pass, with a call at each deadline on the way.
func (p *player) pass(until time.Time) {
	p.t.Helper()
	for {
		d := p.session.Deadline()
		if d.IsZero() || d.After(until) {
			break
		}
		p.now = d
		p.session.Expire(p.now)
		if d.Equal(p.session.Deadline()) {
			p.t.Fatal("nothing is done at the deadline")
		}
	}
	p.now = until
	p.session.Expire(p.now)
}

func optional(s string) []byte {
	if s == "" {
		return nil
	}
	return []byte(s)
}

func why(err error) string {
	c := bosh.Condition("")
	switch {
	case err == nil:
		return "-"
	case err == bosh.ErrTerminated:
		return "terminated"
	case errors.As(err, &c):
		return string(c)
	}
	return strings.TrimPrefix(err.Error(), "bosh: ")
}

func (p *player) handle(name string) bosh.Handle {
	h := bosh.Handle(len(p.names) + 1)
	p.names[h], p.handles[name] = name, h
	return h
}

func (p *player) request(name, text string) bosh.Request {
	p.t.Helper()
	attrs, units, _ := strings.Cut(text, ":")
	n, err := strconv.ParseInt(strings.TrimRight(name, "'"), 10, 64)
	if err != nil {
		p.t.Fatal(err)
	}
	r := bosh.Request{RID: uint64(base + n), Wait: -1, Hold: -1, Secure: true, Ver: &bosh.Version{Major: 1, Minor: 6}}
	if name != "0" {
		r.Ver = nil
	}
	for _, attr := range strings.Fields(attrs) {
		key, value, _ := strings.Cut(attr, "=")
		n, _ := strconv.Atoi(value)
		switch key {
		case "ack":
			r.Ack = uint64(base + n)
		case "acks":
			r.Ack = 1
		case "pause":
			r.Pause = time.Duration(n) * time.Second
		case "wait":
			r.Wait = time.Duration(n) * time.Second
		case "hold":
			r.Hold = n
		case "ver":
			r.Ver = &bosh.Version{Major: 1, Minor: n}
		case "legacy":
			r.Ver = nil
		case "key":
			r.Key = value
		case "newkey":
			r.NewKey = value
		case "terminate":
			r.Terminate = true
		case "restart":
			r.Restart = true
		case "insecure":
			r.Secure = false
		case "fault":
			r.Fault = errFault
		default:
			p.t.Fatalf("a script has the attribute %q", attr)
		}
	}
	for _, u := range strings.Fields(units) {
		r.Units = append(r.Units, []byte(u))
	}
	return r
}

// collect writes the replies down as scripts do.
func (p *player) collect() {
	for _, r := range p.session.Replies() {
		words := []string{p.names[r.Handle]}
		add := func(is bool, format string, args ...any) {
			if is {
				words = append(words, fmt.Sprintf(format, args...))
			}
		}
		if t := r.Terms; t != nil {
			add(true, "wait=%d hold=%d requests=%d polling=%d inactivity=%d maxpause=%d ver=%v", t.Wait/time.Second, t.Hold,
				t.Requests, t.Polling/time.Second, t.Inactivity/time.Second, t.MaxPause/time.Second, t.Ver)
		}
		add(r.Type != "", "%s", r.Type)
		add(r.Condition != "", "%s", string(r.Condition))
		add(r.Opening != nil, "opening")
		add(r.Ack != 0, "ack=%d", int64(r.Ack)-base)
		add(r.Report != 0, "report=%d time=%d", int64(r.Report)-base, r.Time.Milliseconds())
		add(r.Status != 200, "status=%d", r.Status)
		line := strings.Join(words, " ")
		if len(r.Payload) > 0 {
			line += ":"
			for _, u := range r.Payload {
				line += " " + string(u)
			}
		}
		p.replies = append(p.replies, line)
	}
}
