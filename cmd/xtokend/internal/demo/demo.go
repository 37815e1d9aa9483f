// Package demo is the site of `xtokend demo`: a page where one types a name and is
// in converse.js, and the credentials URL that gives anybody a token for any name.
// It is for loopback alone.
package demo

import (
	"embed"
	"html/template"
	"io/fs"
	"net/http"

	"xtokend/auth"
)

// Config is what the site is made of.
type Config struct {
	// Domain is the domainpart of the users, prepared (RFC 7622 §3.2). It must be set.
	Domain string
	// Rooms is the domainpart of the room service; "": the page offers no room.
	Rooms string
	// Issue makes a token for a user of the domain. It must be set, and may be
	// called from any goroutine.
	Issue func(auth.Name) (token string, err error)
	// Converse holds what [OpenConverse] finds; nil: there are no pages, but the
	// credentials URL alone.
	Converse fs.FS
}

//go:embed assets
var assets embed.FS

var templates = template.Must(template.ParseFS(assets, "assets/*.html"))

// site answers for the paths of one Config.
type site struct{ Config }

// New returns the site, for GET and HEAD requests. Whoever serves it must keep pages
// of others out, by their origin and by the name that they call the server by; it
// does so itself where a browser sends no origin.
func New(c Config) http.Handler {
	s := &site{c}
	mux := http.NewServeMux()
	mux.HandleFunc("/credentials", s.credentials)
	if c.Converse == nil {
		return guard(mux)
	}
	mux.HandleFunc("/{$}", s.welcome)
	mux.HandleFunc("/chat", s.chat)
	for _, name := range []string{"demo.css", "chat.js"} {
		mux.HandleFunc("/"+name, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "no-cache")
			http.ServeFileFS(w, r, assets, "assets/"+name)
		})
	}
	mux.Handle("/converse/", http.StripPrefix("/converse", files(c.Converse)))
	return guard(mux)
}
