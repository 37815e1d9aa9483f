package bosh_test

import (
	"crypto/sha1"
	"fmt"
	"strings"
	"testing"
)

// sequence is K(n) to K(1) of XEP-0124 §15.3, in letters of that format.
func sequence(format, seed string, n int) []string {
	keys := make([]string, n)
	for i := n - 1; i >= 0; i-- {
		seed = fmt.Sprintf(format, sha1.Sum([]byte(seed)))
		keys[i] = seed
	}
	return keys
}

func TestKeys(t *testing.T) {
	k, other, capitals := sequence("%x", "seed", 4), sequence("%x", "another seed", 3), sequence("%X", "seed", 3)
	words := strings.NewReplacer("$K4", k[0], "$K3", k[1], "$K2", k[2], "$K1", k[3],
		"$C3", capitals[0], "$C2", capitals[1], "$C1", capitals[2], "$L3", other[0], "$L2", other[1], "$L1", other[2])
	begun := func(attrs string) string {
		return strings.Replace(begun, "create", "create "+attrs, 1)
	}
	for _, c := range []struct{ name, script string }{
		{"the sequence of the client", begun("newkey=$K4") + `
			> 1 key=$K3: a
			> 2 key=$K2: b
			< 1 ack=2
			> 3 key=$K1: c
			< 2 ack=3`},
		{"the next sequence", begun("newkey=$K4") + `
			> 1 key=$K3 newkey=$L3: a
			> 2 key=$L2: b
			< 1 ack=2
			> 3 key=$L1: c
			< 2 ack=3`},
		{"the sequence in the text of XEP-0124 §15", begun("newkey=ca393b51b682f61f98e7877d61146407f3d0a770") + `
			> 1 key=bfb06a6f113cd6fd3838ab9d300fdb4fe3da2f7d: a
			> 2 key=6f825e81f4532b2c5fa2d12457d8a1f22e8f838e newkey=113f58a37245ec9637266cf2fb6e48bfeaf7964e: b
			< 1 ack=2
			> 3 key=6f825e81f4532b2c5fa2d12457d8a1f22e8f838e: c
			< 2 terminate other-request
			< 3 terminate item-not-found`},
		{"out of order", begun("newkey=$K4") + `
			> 2 key=$K2: b
			> 1 key=$K3: a
			< 1 ack=2
			read a
			read b`},
		{"case is not significant", `
			create newkey=` + strings.ToUpper(k[0]) + `: header
			open
			send features
			< 0 ` + granted + ` opening ack=0: features
			> 1 key=$K3: a`},
		{"keys in capitals are hashed as they are", begun("newkey=$C3") + `
			> 1 key=$C2: a
			> 2 key=$C1: b
			< 1 ack=2`},
		{"wrong key", begun("newkey=$K4") + `
			> 1 key=$K2: a
			< 1 terminate item-not-found
			over item-not-found
			read item-not-found`},
		{"missing key", begun("newkey=$K4") + `
			> 1: a
			< 1 terminate item-not-found`},
		{"key of the old sequence", begun("newkey=$K4") + `
			> 1 key=$K3 newkey=$L3: a
			> 2 key=$K2: b
			< 1 terminate other-request
			< 2 terminate item-not-found`},
		{"wrong key out of order", begun("newkey=$K4") + `
			> 2 key=$K3: b
			> 1 key=$K3: a
			< 1 terminate other-request
			< 2 terminate item-not-found
			read a
			read item-not-found`},
		{"a sequence that begins late", begun("") + `
			> 1 key=$K4: a
			> 2 key=$K3: b
			< 1 ack=2
			> 3: c
			< 2 terminate other-request
			< 3 terminate item-not-found`},
		{"a repeated request with its key", begun("newkey=$K4") + `
			> 1 key=$K3: a
			send x
			< 1: x
			> 1' key=$K3: a
			< 1': x
			> 2 key=$K2`},
		{"a repeated request with another key", begun("newkey=$K4") + `
			> 1 key=$K3: a
			send x
			< 1: x
			> 1' key=$K2: a
			< 1' terminate item-not-found`},
		{"a repeated request without its key", begun("newkey=$K4") + `
			> 1 key=$K3: a
			> 1': a
			< 1 terminate other-request
			< 1' terminate item-not-found`},
	} {
		t.Run(c.name, func(t *testing.T) { play(t, words.Replace(c.script)) })
	}
}
