package web

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"net/http"
	"time"

	"xtokend/component"
)

//go:embed xtoken.js
var xtokenScript []byte

// xtokenETag changes with the script, so that a browser's copy of it does.
var xtokenETag = func() string {
	sum := sha256.Sum256(xtokenScript)
	return `"` + hex.EncodeToString(sum[:8]) + `"`
}()

// xtokenJS answers for /xtoken.js, a module that makes the mechanism X-TOKEN for
// converse.js and strophe.js. Browsers fetch modules by the rules of CORS, so that
// it is only for pages that may connect.
func (s *Server) xtokenJS(w http.ResponseWriter, r *http.Request, _ component.Client) {
	if !allowRead(w, r) {
		return
	}
	header := w.Header()
	header.Set("Content-Type", "text/javascript; charset=utf-8")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cache-Control", "public, max-age=3600")
	header.Set("ETag", xtokenETag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(xtokenScript))
}
