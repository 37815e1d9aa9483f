package demo

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
)

// What the pages may do (CSP Level 3): nothing from elsewhere, no script that is
// not a file of ours, in nobody's frame. converse.js writes style attributes and
// shows pictures that it has made itself; 'self' of connect-src is the WebSocket
// too.
const (
	welcomePolicy = "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
	chatPolicy    = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; " +
		"font-src 'self'; media-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

const (
	transportWebSocket = "websocket"
	transportBOSH      = "bosh"
	mechanismXToken    = "X-TOKEN"
	mechanismPlain     = "PLAIN"
)

// How a page logs in.
type connection struct {
	Transport string `json:"transport"`
	Mechanism string `json:"mechanism"`
}

// connectionOf takes the first of each if the request names none that there is.
func connectionOf(r *http.Request) connection {
	c := connection{transportWebSocket, mechanismXToken}
	if r.FormValue("transport") == transportBOSH {
		c.Transport = transportBOSH
	}
	if r.FormValue("mechanism") == mechanismPlain {
		c.Mechanism = mechanismPlain
	}
	return c
}

func (s *site) welcome(w http.ResponseWriter, r *http.Request) {
	s.askForName(w, r, http.StatusOK, "", "")
}

// askForName shows the first page, with what was typed and what is wrong with it.
func (s *site) askForName(w http.ResponseWriter, r *http.Request, status int, typed, complaint string) {
	render(w, status, welcomePolicy, "welcome.html", struct {
		connection
		Domain, Host, Typed, Complaint string
	}{connectionOf(r), s.Domain, r.Host, typed, complaint})
}

// chat shows converse.js for ?name=. With ?with= it makes the two each other's
// contacts, as a person would by hand, and opens the chat between them.
func (s *site) chat(w http.ResponseWriter, r *http.Request) {
	typed := strings.TrimSpace(r.FormValue("name"))
	name, complaint := prepare(typed)
	if complaint != "" {
		s.askForName(w, r, http.StatusBadRequest, typed, complaint)
		return
	}
	page := chatPage{connection: connectionOf(r), Name: name.Localpart(), Domain: s.Domain}
	if peer, complaint := prepare(r.FormValue("with")); complaint == "" && peer.Localpart() != page.Name {
		page.Peer = peer.Localpart()
	}
	if s.Rooms != "" {
		page.Room = "lobby@" + s.Rooms
	}
	for _, another := range []string{"bob", "alice", "carol"} {
		if page.Another = another; !slices.Contains([]string{page.Name, page.Peer}, another) {
			break
		}
	}
	render(w, http.StatusOK, chatPolicy, "chat.html", page)
}

// chatPage is what the page of a user knows; its script gets it as JSON.
type chatPage struct {
	connection
	Name    string `json:"name"`
	Domain  string `json:"domain"`
	Peer    string `json:"peer"` // whose chat is opened; "": nobody's
	Room    string `json:"room"` // "": there is none
	Another string `json:"-"`    // who may be opened in a new window
}

func render(w http.ResponseWriter, status int, policy, name string, page any) {
	var b bytes.Buffer
	if err := templates.ExecuteTemplate(&b, name, page); err != nil {
		panic(err) // the templates are ours, and tested
	}
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", policy)
	header.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write(b.Bytes())
}
