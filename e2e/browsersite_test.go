package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"xtokend/internal/ejabberd"
	"xtokend/internal/ejabberdtest"
)

// webSite is a site whose users chat in a browser: its web server has a page with
// converse.js, and a credentials URL that hands out tokens. Tests may use one side
// by side, since each window is a new user's.
type webSite struct {
	*site
	pages      *httptest.Server
	browser    *browser
	back       string // what the server sends when a WebSocket that was lost is back
	complaints complaints

	mu      sync.Mutex
	windows map[string]*window // by localpart
	opened  int
}

// login says how converse.js on a page logs in.
type login struct {
	to    service
	plain bool // converse.js as it comes: it knows no X-TOKEN
	// refused makes the token that the page is given first; nil: a good one.
	refused func(w *webSite, user string) string
	// issuer is a program that answers the credentials URL behind the site's web
	// server; nil: the site itself.
	issuer *url.URL
}

// webTimeout bounds all that the tests of one webSite do; testTimeout bounds each.
const webTimeout = 15 * time.Minute

var pageTemplate = template.Must(template.ParseFiles("../testdata/browser/page.html"))

// newPages is a site's web server, whose pages have neither a site behind them nor a
// browser yet.
func newPages(t *testing.T) *webSite {
	t.Helper()
	w := &webSite{windows: map[string]*window{}, back: "<resumed "}
	pages := http.NewServeMux()
	pages.HandleFunc("/chat", w.servePage)
	pages.HandleFunc("/credentials", w.serveCredentials)
	pages.Handle("/", http.FileServer(http.Dir("../testdata/browser/node_modules/converse.js/dist")))
	w.pages = httptest.NewServer(pages)
	t.Cleanup(w.pages.Close)
	return w
}

func newWebSite(t *testing.T, behind upstream) *webSite {
	t.Helper()
	w := newPages(t)
	configure := func(s *site) {
		ctx, cancel := context.WithTimeout(context.Background(), webTimeout)
		t.Cleanup(cancel)
		s.ctx = ctx
		s.AllowedOrigins = []string{w.pages.URL}
		s.forbid(func() []string { return []string{malformedToken} })
	}
	if behind == stockEjabberd {
		// As a site with converse.js must have it: see doc/ejabberd.md.
		noResumption := map[string]any{"mod_stream_mgmt": map[string]any{"resume_timeout": 0}}
		w.site = newSiteBehind(t, ejabberdtest.Start(t, ejabberd.Options{TLS: true, Modules: noResumption}), configure)
		w.back = "<enabled "
	} else {
		w.site = newSiteOn(t, behind, configure)
	}
	w.browser = newBrowser(t)
	return w
}

// visit opens a window for a new user, whose localpart begins with name.
func (w *webSite) visit(t *testing.T, name string, l login) *window {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
	t.Cleanup(cancel)
	v := &window{t: t, ctx: ctx, browser: w.browser, login: l, complaints: &w.complaints, asked: questions{}}
	w.mu.Lock()
	w.opened++
	v.user = fmt.Sprintf("%s-%d", name, w.opened)
	localpart := v.user
	if l.issuer != nil {
		localpart = v.user + `\20müller\40köln` // of the user id
	}
	v.jid = localpart + "@" + domain
	w.windows[v.user] = v
	w.forbid(w.accountPasswords(localpart))
	w.forbid(func() []string {
		p := newPrivate()
		p.addFrom(string(v.wire.Bytes()))
		return p.list()
	})
	w.mu.Unlock()
	good := func() string { return w.issuer.token(v.user) }
	v.handOut(good)
	if l.refused != nil {
		v.handOut(func() string {
			v.handOut(good)
			return l.refused(w, v.user)
		})
	}
	w.browser.add(v)
	t.Cleanup(v.close)
	v.do("open", map[string]any{"url": w.pages.URL + "/chat?user=" + v.user}, nil)
	return v
}

func (w *webSite) find(r *http.Request) *window {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.windows[r.FormValue("user")]
}

func (w *webSite) servePage(out http.ResponseWriter, r *http.Request) {
	window := w.find(r)
	if window == nil {
		http.NotFound(out, r)
		return
	}
	endpoint := "bosh_service_url"
	if window.login.to.webSocket() {
		endpoint = "websocket_url"
	}
	page := struct {
		XToken   string
		Settings map[string]any
	}{
		Settings: map[string]any{
			endpoint:                      window.login.to.url(),
			"authentication":              "login",
			"auto_login":                  true,
			"auto_subscribe":              true,
			"credentials_url":             "/credentials?user=" + window.user,
			"discover_connection_methods": false,
			"nickname":                    window.user,
			"view_mode":                   "overlayed",
			"show_controlbox_by_default":  true,
			"assets_path":                 "/",
			"play_sounds":                 false,
			// Lists that it would fetch from servers of its makers.
			"autocomplete_providers_url": "",
			"xmpp_providers_url":         "",
			"muc_search_service":         "",
			// Making the keys takes longer than all the rest.
			"blacklisted_plugins": []string{"converse-omemo", "converse-omemo-views"},
		},
	}
	if !window.login.plain {
		page.XToken = "http://" + w.HTTP + "/xtoken.js"
	}
	if err := pageTemplate.Execute(out, page); err != nil {
		window.note(browserMessage{Event: "fault", Text: err.Error()})
	}
}

// serveCredentials is what a site's credentials URL does for the user who asks.
func (w *webSite) serveCredentials(out http.ResponseWriter, r *http.Request) {
	window := w.find(r)
	if window == nil {
		http.NotFound(out, r)
		return
	}
	if window.login.issuer != nil {
		window.askIssuer(out, r)
		return
	}
	out.Header().Set("Content-Type", "application/json")
	out.Header().Set("Cache-Control", "no-store")
	json.NewEncoder(out).Encode(map[string]string{"jid": window.jid, "password": window.nextToken()})
}

// awaitFrontLog returns when xtokend has logged text, which the window's test
// waits for.
func (w *webSite) awaitFrontLog(window *window, text string) {
	window.t.Helper()
	if err := w.front.log.Wait(window.ctx, text, 0); err != nil {
		window.t.Fatalf("xtokend: %v", err)
	}
}
