package server

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"

	"mellium.im/xmpp/jid"
)

// passwordLabel keeps account passwords apart from whatever else may one day be
// derived from the same secret.
const passwordLabel = "xtokend account 1"

// Password returns the password of user's account: the HMAC-SHA-256 of
// "xtokend account 1", NUL and the bare JID under secret, in base64url with
// padding (RFC 4648 §5). SASLprep and nodeprep leave it as it is.
func Password(secret []byte, user jid.JID) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(passwordLabel + "\x00" + user.Bare().String()))
	return base64.URLEncoding.EncodeToString(mac.Sum(nil))
}
