package auth_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"slices"
	"testing"
	"time"

	"xtokend/auth"
	"xtokend/auth/replay"
)

const (
	benchSecret = "JYXEX4IQOEYFYQ2S3MC5P4ZT4SDHYEA7"
	benchSeed   = "XVGR73KMZH2M4XMY"
	// Uses per step of the clock: the store lets go of them two steps later and so stays at a steady size.
	benchBatch = 2000
)

// bench is a verifier and tokens that it has not seen. Minting goes on outside the timer.
type bench struct {
	verifier *auth.Verifier
	key      auth.Key
	name     auth.Name
	now      time.Time
	tokens   []string
}

func newBench(b *testing.B) *bench {
	m := &bench{key: newKey(b, benchSeed, benchSecret), now: time.Unix(1551193138, 0)}
	var err error
	if m.name, err = auth.PrepareName("alice"); err != nil {
		b.Fatal(err)
	}
	m.verifier, err = auth.NewVerifier(auth.Config{
		Domain: "example.org",
		Keys:   []auth.Key{m.key},
		Skew:   auth.DefaultSkew,
		Store:  replay.NewMemory(replay.MemoryOptions{}),
		Now:    func() time.Time { return m.now },
	})
	if err != nil {
		b.Fatal(err)
	}
	for range 4 { // warm: the store has let go of a batch before
		m.mint(b)
		for _, token := range m.tokens {
			m.verify(b, token)
		}
	}
	return m
}

// mint moves the clock to the next step and makes a batch of its tokens.
func (m *bench) mint(b *testing.B) {
	m.now = m.now.Add(replay.StepSeconds * time.Second)
	m.tokens = m.tokens[:0]
	for range benchBatch {
		token, err := m.key.Issue(m.name, "example.org", m.now)
		if err != nil {
			b.Fatal(err)
		}
		m.tokens = append(m.tokens, token)
	}
}

func (m *bench) verify(b *testing.B, token string) {
	if _, err := m.verifier.Verify(context.Background(), m.name, token); err != nil {
		b.Fatal(err)
	}
}

func (m *bench) prepareAndVerify(b *testing.B, token string) {
	name, err := auth.PrepareName("alice")
	if err != nil {
		b.Fatal(err)
	}
	if _, err := m.verifier.Verify(context.Background(), name, token); err != nil {
		b.Fatal(err)
	}
}

func benchmarkTokens(b *testing.B, do func(m *bench, token string)) {
	m := newBench(b)
	b.ReportAllocs()
	b.ResetTimer()
	for done := 0; done < b.N; {
		b.StopTimer()
		m.mint(b)
		b.StartTimer()
		for _, token := range m.tokens[:min(len(m.tokens), b.N-done)] {
			do(m, token)
			done++
		}
	}
}

// BenchmarkVerify is one good token with its name prepared, in a warm memory store.
func BenchmarkVerify(b *testing.B) {
	benchmarkTokens(b, func(m *bench, token string) { m.verify(b, token) })
}

// BenchmarkVerifyAndPrepare adds the preparation of an ASCII name.
func BenchmarkVerifyAndPrepare(b *testing.B) {
	benchmarkTokens(b, func(m *bench, token string) { m.prepareAndVerify(b, token) })
}

// signedText is what the signature of a token covers.
var signedText = []byte("8524917131415926535897932384626433832795" + "alice@example.org")

// BenchmarkBareHMAC is what a program does that only computes a signature: with a state kept from token to token, and
// with a new one for each.
func BenchmarkBareHMAC(b *testing.B) {
	b.Run("kept", func(b *testing.B) {
		mac := hmac.New(sha256.New, []byte(benchSecret))
		var sum [sha256.Size]byte
		b.ReportAllocs()
		for b.Loop() {
			mac.Reset()
			mac.Write(signedText)
			mac.Sum(sum[:0])
		}
	})
	b.Run("new", func(b *testing.B) {
		var sum [sha256.Size]byte
		b.ReportAllocs()
		for b.Loop() {
			mac := hmac.New(sha256.New, []byte(benchSecret))
			mac.Write(signedText)
			mac.Sum(sum[:0])
		}
	})
}

// BenchmarkVerifyRatio times a bare HMAC with a kept state and a verification in turns, so that both meet the same
// machine. It reports how many times the HMAC a verification costs, without and with the preparation of the name, as the
// ratio of the medians of the batches: what else runs on the machine hits few of them.
func BenchmarkVerifyRatio(b *testing.B) {
	m := newBench(b)
	mac := hmac.New(sha256.New, []byte(benchSecret))
	var sum [sha256.Size]byte
	batch := func(do func(token string)) time.Duration {
		start := time.Now()
		for _, token := range m.tokens {
			do(token)
		}
		return time.Since(start)
	}
	mint := func() {
		b.StopTimer()
		m.mint(b)
		b.StartTimer()
	}
	var bare, verify, prepare []time.Duration
	for done := 0; done < b.N; done += benchBatch {
		mint()
		bare = append(bare, batch(func(string) {
			mac.Reset()
			mac.Write(signedText)
			mac.Sum(sum[:0])
		}))
		verify = append(verify, batch(func(token string) { m.verify(b, token) }))
		mint()
		prepare = append(prepare, batch(func(token string) { m.prepareAndVerify(b, token) }))
	}
	b.ReportMetric(median(verify)/median(bare), "x-hmac")
	b.ReportMetric(median(prepare)/median(bare), "x-hmac-with-name")
}

func median(d []time.Duration) float64 {
	slices.Sort(d)
	return float64(d[len(d)/2])
}
