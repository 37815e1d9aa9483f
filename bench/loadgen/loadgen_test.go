package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"testing"
	"testing/iotest"
	"time"
)

func TestScannerCutsAStreamIntoElements(t *testing.T) {
	const stream = "<?xml version='1.0'?><stream:stream to=\"a>b\" xmlns='jabber:client'> " +
		"<stream:features><a/><b c='/>'>text</b></stream:features>\n<success xmlns='x'/>" +
		"<message><body>1 &lt; 2</body></message></stream:stream>"
	want := []string{
		"<stream:stream to=\"a>b\" xmlns='jabber:client'>",
		"<stream:features><a/><b c='/>'>text</b></stream:features>",
		"<success xmlns='x'/>",
		"<message><body>1 &lt; 2</body></message>",
	}
	for name, reader := range map[string]io.Reader{
		"at once":      bytes.NewBufferString(stream),
		"byte by byte": iotest.OneByteReader(bytes.NewBufferString(stream)),
	} {
		t.Run(name, func(t *testing.T) {
			s := newScanner(reader)
			var got []string
			element, err := s.next()
			for ; err == nil; element, err = s.next() {
				got = append(got, string(element))
			}
			if !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
			if !errors.Is(err, errStreamEnd) {
				t.Errorf("ended with %v", err)
			}
		})
	}
}

func TestScannerTakesElementsLargerThanItsBuffer(t *testing.T) {
	first := "<a>" + string(bytes.Repeat([]byte("x"), 10_000)) + "</a>"
	s := newScanner(bytes.NewBufferString("<z/>" + first + "<b/>"))
	for _, want := range []string{"<z/>", first, "<b/>"} {
		got, err := s.next()
		if err != nil || string(got) != want {
			t.Fatalf("got %.20q and %v, want %.20q", got, err, want)
		}
	}
	if _, err := s.next(); !errors.Is(err, io.EOF) {
		t.Errorf("ended with %v", err)
	}
}

func TestElementParts(t *testing.T) {
	iq := []byte(`<iq type="result" id='b'><bind><jid>a@b/c&amp;d</jid></bind></iq>`)
	failure := []byte("<failure xmlns='urn:x'><text>no</text><not-authorized/></failure>")
	for _, tt := range []struct{ name, got, want string }{
		{"name", name(iq), "iq"},
		{"name without attributes", name([]byte("<success/>")), "success"},
		{"attribute in double quotes", attr(iq, "type"), "result"},
		{"attribute in single quotes", attr(iq, "id"), "b"},
		{"no such attribute", attr(iq, "to"), ""},
		{"text", text(iq, "jid"), "a@b/c&amp;d"},
		{"no such text", text(iq, "name"), ""},
		{"condition behind a text", condition(failure), "not-authorized"},
		{"no condition", condition([]byte("<failure/>")), "no condition"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.got != tt.want {
				t.Errorf("got %q, want %q", tt.got, tt.want)
			}
		})
	}
}

// The vectors are those that the program itself is tested with, made with pyotp.
func TestTokensAreThoseOfTheVectors(t *testing.T) {
	data, err := os.ReadFile("../../testdata/tokens.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors struct {
		Seed   string `json:"otp_seed"`
		Secret string `json:"token_secret"`
		Cases  []struct {
			Name, Authcid, Domain, Token string
			Now                          int64
		}
	}
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	tokens, err := newTokens(vectors.Seed, vectors.Secret)
	if err != nil {
		t.Fatal(err)
	}
	away := map[string]int64{"valid": 0, "valid-previous-step": -30, "valid-next-step": 30}
	for _, c := range vectors.Cases {
		seconds, ok := away[c.Name]
		if !ok {
			continue
		}
		delete(away, c.Name)
		t.Run(c.Name, func(t *testing.T) {
			otp := tokens.otp(time.Unix(c.Now+seconds, 0))
			if got := tokens.sign(otp, c.Token[8:40], c.Authcid+"@"+c.Domain); got != c.Token {
				t.Errorf("got  %s\nwant %s", got, c.Token)
			}
		})
	}
	if len(away) != 0 {
		t.Errorf("the vectors lack %v", away)
	}
}

// The expected value is openssl's:
// printf 'xtokend account 1\0alice@example.org' | openssl dgst -sha256 -hmac secret -binary | basenc --base64url
func TestPasswords(t *testing.T) {
	for _, tt := range []struct {
		name string
		p    passwords
		want string
	}{
		{"everybody's", passwords{same: "pencil"}, "pencil"},
		{"derived", passwords{same: "pencil", accountSecret: "secret"}, "AEghry9A324K73xk5740UVDBzT-1Hnjh69MNg4q27EA="},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.p.of("alice@example.org"); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// The exchange is the example of RFC 5802 §5.
func TestSCRAM(t *testing.T) {
	const (
		serverFirst = "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096"
		clientFinal = "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="
		serverFinal = "v=rmF9pqV8S7suAoZWja4dJRkFsKQ="
	)
	for _, keys := range []string{"derived", "kept"} {
		t.Run(keys, func(t *testing.T) {
			s := newSCRAMWithNonce("user", "pencil", "fyko+d2lbbFgONRv9qkxdawL")
			if got, want := s.first(), "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL"; got != want {
				t.Errorf("first is %q, want %q", got, want)
			}
			got, err := s.final(serverFirst)
			if err != nil || got != clientFinal {
				t.Errorf("final is %q and %v, want %q", got, err, clientFinal)
			}
			if err := s.verify(serverFinal); err != nil {
				t.Error(err)
			}
			if err := s.verify("v=AAAA"); err == nil {
				t.Error("a bad server signature passes")
			}
		})
	}
	s := newSCRAMWithNonce("user", "pencil", "another")
	if _, err := s.final(serverFirst); err == nil {
		t.Error("another client's nonce passes")
	}
}

func TestProcReadings(t *testing.T) {
	cpu, err := machineCPUOf("cpu  100 2 30 9999 9999 4 5 6 77 88")
	if want := 1470 * time.Millisecond; err != nil || cpu != want {
		t.Errorf("machine: %v and %v, want %v", cpu, err, want)
	}
	for _, bad := range []string{"", "cpu  1 2 3", "cpu  1 2 3 4 5 6 x 8"} {
		if _, err := machineCPUOf(bad); err == nil {
			t.Errorf("%q passes", bad)
		}
	}
	before, err := ownCPU()
	if err != nil {
		t.Fatal(err)
	}
	cpu, err = cpuOf(os.Getpid())
	after, errAfter := ownCPU()
	const rounding = 2 * time.Microsecond // getrusage cuts off parts of one, of both its times
	if err = errors.Join(err, errAfter); err != nil || cpu < before || cpu > after+rounding {
		t.Errorf("process: %v and %v, want %v to %v as getrusage has it", cpu, err, before, after)
	}
	if _, err := cpuOf(1 << 23); err == nil { // above the kernel's largest
		t.Error("a process that cannot be has used CPU time")
	}
	if resident, err := residentOf(os.Getpid()); err != nil || resident < 1<<20 {
		t.Errorf("resident set: %d and %v", resident, err)
	}
}

func TestReportDividesByWhatWasDone(t *testing.T) {
	start := time.Unix(0, 0)
	from := reading{at: start, servers: []time.Duration{time.Second, 0}, own: time.Second, machine: 10 * time.Second}
	to := reading{at: start.Add(2 * time.Second), servers: []time.Duration{2 * time.Second, 500 * time.Millisecond},
		own: 1500 * time.Millisecond, machine: 12500 * time.Millisecond}
	run := report(from, to, 100)
	for _, tt := range []struct {
		name      string
		got, want float64
	}{
		{"per second", run.PerSecond, 50},
		{"client", run.ClientCPU, 5},
		{"first server", run.Servers[0].CPU, 10},
		{"second server", run.Servers[1].CPU, 5},
		{"both servers", run.CPU(), 15},
		{"cores of the first", run.Servers[0].Cores, 0.5},
		{"others", run.OtherCores, 0.25},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, tt.got, tt.want)
		}
	}
}

func TestFailuresAreCountedByKind(t *testing.T) {
	var f failures
	for _, err := range []error{
		at("bind", at("stream error", errors.New("conflict"))),
		at("bind", at("stream error", errors.New("conflict"))),
		at("auth", fmt.Errorf("read: %w", io.EOF)),
		at("dial", os.ErrDeadlineExceeded),
	} {
		f.add(kind(err))
	}
	want := map[string]int{"bind: stream error: conflict": 2, "auth: closed": 1, "dial: timeout": 1}
	got := f.counts()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
