package sasl_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	msasl "mellium.im/sasl"

	"xtokend/auth"
	"xtokend/auth/replay"
	"xtokend/sasl"
)

// A server that has mellium.im/sasl takes tokens by one more mechanism: for
// each attempt it makes a negotiator and steps it with what the client sent,
// decoded by DecodeBase64.
func Example() {
	at := time.Unix(1551193138, 0)
	key, err := auth.NewKey("XVGR73KMZH2M4XMY", "JYXEX4IQOEYFYQ2S3MC5P4ZT4SDHYEA7", time.Time{})
	if err != nil {
		panic(err)
	}
	verifier, err := auth.NewVerifier(auth.Config{
		Domain: "example.org",
		Keys:   []auth.Key{key},
		Skew:   auth.DefaultSkew,
		Store:  replay.NewMemory(replay.MemoryOptions{}),
		Now:    func() time.Time { return at },
	})
	if err != nil {
		panic(err)
	}

	// The client has got a token from the web application, and sends it.
	client := msasl.NewClient(sasl.Client(sasl.XToken), msasl.Credentials(func() (authcid, token, authzid []byte) {
		return []byte("alice"), []byte("8524917131415926535897932384626433832795 G9RPwjT6HMjZN3fw8qnhAPvK3Fpfxg+D6EuxKRuRi7w="), nil
	}))
	_, initialResponse, err := client.Step(nil)
	if err != nil {
		panic(err)
	}

	for range 2 { // the second time the token is used up
		var outcome sasl.Outcome
		server := msasl.NewServer(sasl.Server(context.Background(), sasl.XToken, verifier, &outcome), nil)
		_, _, err = server.Step(initialResponse)
		var failure *sasl.Failure
		switch {
		case errors.As(err, &failure):
			fmt.Println("to the client:", failure.Condition)
			fmt.Println("to the log:", failure.Reason)
		default:
			fmt.Printf("logged in: %s@%s\n", outcome.Name.Localpart(), verifier.Domain())
		}
	}
	// Output:
	// logged in: alice@example.org
	// to the client: not-authorized
	// to the log: replayed
}
