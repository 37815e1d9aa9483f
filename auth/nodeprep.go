package auth

import (
	"errors"
	"fmt"

	"github.com/xdg-go/stringprep"
)

// nodeprepProfile is RFC 6122 Appendix A. Code points that Unicode 3.2 did not have (RFC 3454 table A.1) are let
// through, as stringprep allows in queries (RFC 3454 §7) and as Prosody and ejabberd do with the name of a login.
var nodeprepProfile = stringprep.Profile{
	Mappings:  []stringprep.Mapping{stringprep.TableB1, stringprep.TableB2},
	Normalize: true,
	Prohibits: []stringprep.Set{
		stringprep.TableC1_1,
		stringprep.TableC1_2,
		stringprep.TableC2_1,
		stringprep.TableC2_2,
		stringprep.TableC3,
		stringprep.TableC4,
		stringprep.TableC5,
		stringprep.TableC6,
		stringprep.TableC7,
		stringprep.TableC8,
		stringprep.TableC9,
		// RFC 6122 §A.5
		{{'"', '"'}, {'&', '\''}, {'/', '/'}, {':', ':'}, {'<', '<'}, {'>', '>'}, {'@', '@'}},
	},
	CheckBiDi: true,
}

// nodeprep is the preparation that servers of RFC 3920 and RFC 6122 apply to a localpart.
func nodeprep(s string) (string, error) {
	prepared, err := nodeprepProfile.Prepare(s)
	if e, ok := errors.AsType[stringprep.Error](err); ok {
		return "", fmt.Errorf("%s: %U", e.Msg, e.Rune)
	}
	return prepared, err
}
