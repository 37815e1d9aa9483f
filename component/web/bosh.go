package web

import (
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"xtokend/component"
	"xtokend/internal/bosh"
)

const (
	boshContentType = "text/xml; charset=utf-8" // XEP-0124 §7.1
	// boshPolicy is the Content-Security-Policy of all answers. What is in them
	// comes from strangers, and any page may make a browser show an answer by a
	// form that it sends here: then nothing in it may run as a page of ours.
	boshPolicy = "sandbox; default-src 'none'"
	// writeBytes is written at once, within the write timeout.
	writeBytes = 16384
)

// bosh answers a request of a BOSH session, as soon as its session wants to.
func (s *Server) bosh(w http.ResponseWriter, r *http.Request, c component.Client) {
	w.Header().Set("Content-Security-Policy", boshPolicy)
	control := http.NewResponseController(w)
	deadline := time.Now().Add(s.sessions.bodyTimeout)
	control.SetReadDeadline(deadline)
	switch r.Method {
	case http.MethodPost:
	case http.MethodGet, http.MethodHead:
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Write([]byte("This is where XMPP clients connect by BOSH (XEP-0124). It works: give this address to your client.\n"))
		return
	default:
		w.Header().Set("Allow", "GET, POST, OPTIONS")
		http.Error(w, "BOSH clients use POST (XEP-0124)", http.StatusMethodNotAllowed)
		return
	}
	body, err := readBodyTag(&pacedReader{r.Body, deadline, control.SetReadDeadline})
	session := s.sessions.find(body.SID)
	unknown := session == nil && body.SID != "" // its payload is not worth reading
	elementBytes, bodyBytes := negotiationElementBytes, negotiationElementBytes
	if session != nil {
		elementBytes, bodyBytes = session.limits()
	}
	if err == nil && !unknown {
		err = body.readPayload(elementBytes, bodyBytes)
	}
	if body.reader.eof { // else the rest is still bounded in time
		control.SetReadDeadline(time.Time{})
	}
	body.Secure = c.Secure || c.Loopback
	defer s.open.answering(connectionOf(r).raw)()

	switch {
	case err != nil && !breaksSyntax(err):
		// Clients repeat a request whose connection breaks; strophe.js would give
		// up the session for any status below 500.
		panic(http.ErrAbortHandler)
	case unknown:
		s.refuseBOSH(w, bosh.ItemNotFound)
	case session != nil && err != nil:
		session.reply(w, r, session.invalid())
	case session != nil:
		session.reply(w, r, session.receive(body))
	case err != nil || body.Fault != nil:
		s.refuseBOSH(w, bosh.BadRequest)
	case body.Terminate || body.Restart:
		s.refuseBOSH(w, bosh.ItemNotFound)
	case body.To == "":
		s.refuseBOSH(w, bosh.ImproperAddressing)
	case s.front.Draining():
		s.refuseBOSH(w, bosh.SystemShutdown)
	default:
		s.createBOSH(w, r, c, body)
	}
}

// createBOSH begins a session and hands it to the front.
func (s *Server) createBOSH(w http.ResponseWriter, r *http.Request, c component.Client, body *boshBody) {
	session, opened := newBOSHSession(s, body, c.Address)
	if !s.sessions.add(session) {
		if s.sessions.firstRefusal() {
			s.log.Warn("as many BOSH sessions as limits.bosh_sessions allows: new ones are refused", "limit", s.settings.Load().limits.BOSHSessions)
		}
		s.refuseBOSH(w, bosh.InternalServerError)
		return
	}
	session.begin()
	conn := connectionOf(r).raw
	s.front.ServeStream(&boshConn{boshSession: session, local: conn.LocalAddr(), remote: conn.RemoteAddr()}, c)
	session.reply(w, r, opened)
}

// refuseBOSH answers a request that belongs to no session.
func (s *Server) refuseBOSH(w http.ResponseWriter, c bosh.Condition) {
	s.writeBOSH(w, boshContentType, &bosh.Reply{Type: "terminate", Condition: c, Status: http.StatusOK})
}

// writeBOSH sends a reply; an error says that it was not sent whole.
func (s *Server) writeBOSH(w http.ResponseWriter, contentType string, reply *bosh.Reply) error {
	text := reply.AppendBody(nil)
	control := http.NewResponseController(w)
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(text))) // else it might be chunked (XEP-0124 §5)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(reply.Status)
	for part := range slices.Chunk(text, writeBytes) {
		control.SetWriteDeadline(time.Now().Add(s.settings.Load().limits.WriteTimeout))
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	err := control.Flush()
	control.SetWriteDeadline(time.Time{}) // nothing is left behind for the next request on the connection
	return err
}

// contentType is that of a session's responses. Clients that take no other
// may name it (XEP-0124 §7.1), but none that is made for pages. Of XML, too, a
// browser makes a page if it has elements of XHTML; see boshPolicy.
func contentType(asked string) string {
	media, params, err := mime.ParseMediaType(asked)
	charset, named := params["charset"]
	if err == nil && (!named || strings.EqualFold(charset, "utf-8")) {
		switch media {
		case "text/xml", "application/xml", "text/plain":
			return asked
		}
	}
	return boshContentType
}
