package auth

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/secure/precis"
)

const (
	maxLocalpartBytes = 1023 // RFC 7622 §3.3.1
	// No preparation makes a name shorter than a third of its octets (full-width letters, decomposed Hangul).
	maxAuthcidBytes = 3 * maxLocalpartBytes
)

// A Name is a prepared authcid: the localpart that both RFC 7622 and the older nodeprep of RFC 6122 agree on. Only
// [PrepareName] makes one. It may be copied and compared; two names of one localpart that were sent in different
// spellings differ, so compare [Name.Localpart] to tell users apart. The zero Name belongs to nobody and is refused.
type Name struct {
	localpart string
	sent      string // the authcid as it was sent, if it differs from localpart in ASCII letter case alone
}

// Localpart returns the localpart of the user's address.
func (n Name) Localpart() string { return n.localpart }

// asciiClass tells what UsernameCaseMapped and RFC 7622 §3.3.1 make of an ASCII character.
var asciiClass = func() (class [utf8.RuneSelf]byte) {
	for c := byte('!'); c <= '~'; c++ {
		switch {
		case strings.IndexByte(localpartExcluded, c) >= 0:
		case 'A' <= c && c <= 'Z':
			class[c] = asciiUpper
		default:
			class[c] = asciiKept
		}
	}
	return class
}()

const (
	asciiRefused byte = iota
	asciiKept
	asciiUpper
)

// localpartExcluded holds the characters that RFC 7622 §3.3.1 takes out of UsernameCaseMapped.
const localpartExcluded = `"&'/:<>@`

// PrepareName prepares the authcid of a login as an RFC 7622 localpart. It refuses a name that nodeprep would make
// another one of: Prosody and ejabberd would give its owner somebody else's account. The error is a *[Refusal] with
// reason [Malformed].
func PrepareName(authcid string) (Name, error) {
	if authcid == "" {
		return Name{}, malformed("the name is empty")
	}
	if len(authcid) > maxAuthcidBytes {
		return Name{}, malformed(fmt.Sprintf("the name has %d octets; %d are allowed", len(authcid), maxLocalpartBytes))
	}
	var upper bool
	for i := 0; i < len(authcid); i++ {
		c := authcid[i]
		if c >= utf8.RuneSelf {
			return prepareUnicode(authcid)
		}
		switch asciiClass[c] {
		case asciiRefused:
			return Name{}, refuseCharacter(rune(c))
		case asciiUpper:
			upper = true
		}
	}
	if len(authcid) > maxLocalpartBytes {
		return Name{}, tooLong(len(authcid))
	}
	if upper {
		return Name{localpart: strings.ToLower(authcid), sent: authcid}, nil
	}
	return Name{localpart: authcid}, nil
}

func prepareUnicode(authcid string) (Name, error) {
	if !utf8.ValidString(authcid) {
		return Name{}, malformed("the name is not UTF-8")
	}
	prepared, err := precis.UsernameCaseMapped.String(authcid)
	if err != nil {
		return Name{}, &Refusal{Reason: Malformed, Detail: "the name is no RFC 7622 localpart", Err: err}
	}
	if i := strings.IndexAny(prepared, localpartExcluded); i >= 0 {
		return Name{}, refuseCharacter(rune(prepared[i]))
	}
	switch {
	case prepared == "":
		return Name{}, malformed("nothing is left of the name when it is prepared")
	case len(prepared) > maxLocalpartBytes:
		return Name{}, tooLong(len(prepared))
	}
	// A rule set applied once need not be stable (RFC 8264 §7).
	if again, err := precis.UsernameCaseMapped.String(prepared); err != nil || again != prepared {
		return Name{}, malformed("the name has no stable prepared form (RFC 8264 §7)")
	}
	older, err := nodeprep(prepared)
	if err != nil {
		return Name{}, &Refusal{Reason: Malformed, Detail: "servers of RFC 6122 refuse the name", Err: err}
	}
	if older != prepared {
		return Name{}, malformed("servers of RFC 6122 (Prosody, ejabberd) read the name as another one; give the user one without its special characters")
	}
	n := Name{localpart: prepared}
	if prepared != authcid && asciiLower(authcid) == prepared {
		n.sent = authcid
	}
	return n, nil
}

// asciiLower lowers ASCII letters alone.
func asciiLower(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, s)
}

func refuseCharacter(r rune) *Refusal {
	if r == '@' {
		return malformed("the name holds an @: the client must send the localpart alone, and an issuer whose user ids hold one must escape it as \\40 (XEP-0106)")
	}
	return malformed(fmt.Sprintf("the name holds %q (%U), which no localpart may; it can be escaped (XEP-0106)", r, r))
}

func tooLong(n int) *Refusal {
	return malformed(fmt.Sprintf("the prepared name has %d octets; %d are allowed", n, maxLocalpartBytes))
}
