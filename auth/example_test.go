package auth_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"xtokend/auth"
	"xtokend/auth/replay"
)

// The clock of the examples, and the key of collective.converse's documentation.
var (
	exampleNow = time.Unix(1551193138, 0)
	exampleKey = func() auth.Key {
		key, err := auth.NewKey("XVGR73KMZH2M4XMY", "JYXEX4IQOEYFYQ2S3MC5P4ZT4SDHYEA7", time.Time{})
		if err != nil {
			panic(err)
		}
		return key
	}()
)

// A server checks the name and the token that a client sends.
func Example() {
	store := replay.NewMemory(replay.MemoryOptions{}) // replay.OpenFile for one that survives a restart
	defer store.Close()
	verifier, err := auth.NewVerifier(auth.Config{
		Domain: "example.org",
		Keys:   []auth.Key{exampleKey},
		Skew:   auth.DefaultSkew,
		Store:  store,
		Now:    func() time.Time { return exampleNow }, // leave it out to use the time of day
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	const token = "8524917131415926535897932384626433832795 G9RPwjT6HMjZN3fw8qnhAPvK3Fpfxg+D6EuxKRuRi7w="
	for range 2 {
		name, err := auth.PrepareName("Alice")
		if err != nil {
			fmt.Println("refused:", err)
			continue
		}
		_, err = verifier.Verify(context.Background(), name, token)
		if refusal, ok := errors.AsType[*auth.Refusal](err); ok {
			fmt.Println("refused:", refusal.Reason)
			continue
		}
		fmt.Println("welcome", name.Localpart())
	}
	// Output:
	// welcome alice
	// refused: replayed
}

// An issuer makes a token for a user who is logged in to it.
func ExampleKey_Issue() {
	name, err := auth.PrepareName("alice")
	if err != nil {
		fmt.Println(err)
		return
	}
	token, err := exampleKey.Issue(name, "example.org", exampleNow)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(token), "characters; one-time password", token[:8])
	// Output: 85 characters; one-time password 85249171
}

// An administrator asks why a token of a Plone server in Amsterdam is refused.
func ExampleVerifier_Explain() {
	verifier, err := auth.NewVerifier(auth.Config{
		Domain: "example.org",
		Keys:   []auth.Key{exampleKey},
		Skew:   auth.DefaultSkew,
		Store:  replay.NewMemory(replay.MemoryOptions{}),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	e := verifier.Explain(exampleNow, "alice", "0539758231415926535897932384626433832795 zcwtUxdTkZzXpBYfGCdUwC1AeNHj7Y/UNZ3yonc1tN0=")
	fmt.Println(e.Verdict)
	for _, finding := range e.Findings {
		fmt.Println("-", finding)
	}
	// Output:
	// expired
	// - the issuer's step is -120 from the clock's, 1 are accepted either side: the token was made for 2019-02-26T13:58:30Z
	// - either it is that old, or the issuer's clock is 1 hour behind: set both clocks by NTP
	// - it is what a naive UTC time makes of it in a zone 1 hour ahead of UTC, such as Europe/Amsterdam or Africa/Lagos: mend the issuer: totp.now(), or timecode of an aware time such as datetime.now(timezone.utc); or set issuer_timezone = "Europe/Amsterdam" until then
}
