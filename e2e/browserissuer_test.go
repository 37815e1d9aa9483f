package e2e

import (
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

var listening = regexp.MustCompile(`http://127\.0\.0\.1:[1-9][0-9]*`)

// startIssuer starts contrib/issuers/node behind the site's web server, which knows who
// is logged in.
func (w *webSite) startIssuer(t *testing.T) *url.URL {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command("node", "../contrib/issuers/node/server.mjs")
	cmd.Env = append(os.Environ(), "XMPP_DOMAIN="+domain, "PORT=0",
		"OTP_SEED_FILE="+writeFile(t, filepath.Join(dir, "otp_seed"), w.OTPSeed),
		"TOKEN_SECRET_FILE="+writeFile(t, filepath.Join(dir, "token_secret"), w.TokenSecret))
	process := startProcess(t, "issuer of contrib", cmd)
	if err := process.log.Wait(w.ctx, "\n", 0); err != nil {
		t.Fatal(err)
	}
	issuer, err := url.Parse(listening.FindString(string(process.log.Bytes())))
	if err != nil || issuer.Host == "" {
		t.Fatalf("the issuer says %q: %v", process.log.Bytes(), err)
	}
	return issuer
}

// askIssuer passes a page's question on, as a web server does behind its login.
func (w *window) askIssuer(out http.ResponseWriter, r *http.Request) {
	w.noteFetch()
	passOn := httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(w.login.issuer)
		r.Out.Header.Set("X-Remote-User", w.user+" müller@köln")
	}}
	passOn.ServeHTTP(out, r)
}

// logInByAnIssuer has converse.js take what an issuer answers for a user id with a
// space, an @ and letters outside ASCII, and chat under the address that it names.
func logInByAnIssuer(t *testing.T, w *webSite, to service) {
	zoe := w.visit(t, "zoë", login{to: to, plain: true, issuer: w.startIssuer(t)})
	bob := w.visit(t, "bob", login{to: to})
	w.befriend(t, zoe, bob)
	w.awaitFrontLog(zoe, fmt.Sprintf("transport=%s domain=%s user=%s mechanism=PLAIN", to.transport(), domain, zoe.jid))
	if n := zoe.fetches(); n != 1 {
		t.Errorf("the page asked for %d tokens", n)
	}
	bob.say(zoe.jid, "tea?")
	zoe.awaitMessageFrom(bob, "tea?")
	zoe.say(bob.jid, "with milk")
	bob.awaitMessageFrom(zoe, "with milk")
}
