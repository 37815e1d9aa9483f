// Package httpauth answers XMPP servers that have their clients themselves and ask
// over HTTP whether a password is right and whether a user exists: the contract of
// MongooseIM's authentication method http, of ejabberd_auth_http in ejabberd-contrib
// and of Prosody's module mod_auth_http.
package httpauth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"xtokend/cmd/xtokend/internal/extauth"
	"xtokend/cmd/xtokend/internal/httpserver"
	"xtokend/internal/storm"
)

// answerTimeout is shorter than the servers wait: 5 s for ejabberd_auth_http.
const answerTimeout = 4 * time.Second

// Config is what a Server is made of. All but TLS must be set.
type Config struct {
	// Secret is what a server must show: as a bearer token (RFC 6750 §2.1), or as the
	// password of any user name (RFC 7617), which is all that the three know. Empty:
	// nobody can show it.
	Secret string
	Answer extauth.Answer
	TLS    *tls.Config // nil: in clear, for loopback
	Logger *slog.Logger
}

// Server answers the questions. Nothing of a request is ever logged: its query holds a
// token.
type Server struct {
	*httpserver.Server
	secret [sha256.Size]byte
	answer extauth.Answer
	log    *slog.Logger
	storms *storm.Log
}

// NewServer returns a server that serves nothing yet.
func NewServer(c Config) *Server {
	s := &Server{secret: sha256.Sum256([]byte(c.Secret)), answer: c.Answer, log: c.Logger, storms: storm.New(time.Now)}
	bounds := httpserver.Bounds{
		Connections: 256,
		// Room for a question in the query or in the body, of which each byte may be
		// written as three.
		HeaderBytes: 4096 + 3*extauth.MaxQuestionBytes,
		BodyBytes:   3 * extauth.MaxQuestionBytes,
		Request:     5 * time.Second,
		Answer:      10 * time.Second,
		Idle:        2 * time.Minute,
	}
	s.Server = httpserver.New(http.HandlerFunc(s.serve), bounds, c.TLS, c.Logger)
	return s
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if !s.authorized(r) {
		s.unauthorized(w, r)
		return
	}
	verb := extauth.Verb(strings.TrimPrefix(r.URL.Path, "/"))
	switch verb {
	case extauth.CheckPassword, extauth.UserExists:
	case "register", "set_password", "remove_user", "remove_user_validate":
		say(w, http.StatusForbidden, "xtokend makes, changes and removes no accounts")
		return
	default:
		say(w, http.StatusNotFound, "there are /check_password and /user_exists")
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		w.Header().Set("Allow", "GET, POST")
		say(w, http.StatusMethodNotAllowed, "use GET or POST")
		return
	}
	q, status, text := question(verb, r)
	if status != http.StatusOK {
		say(w, status, text)
		return
	}
	ctx, done := context.WithTimeout(r.Context(), answerTimeout)
	defer done()
	yes, err := s.answer(ctx, q)
	if err != nil {
		say(w, http.StatusServiceUnavailable, "nobody can tell at the moment")
		return
	}
	say(w, http.StatusOK, strconv.FormatBool(yes))
}

// authorized compares in a time that tells nothing of the secret, its length
// included.
func (s *Server) authorized(r *http.Request) bool {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return false
	}
	scheme, shown, _ := strings.Cut(values[0], " ")
	switch {
	case strings.EqualFold(scheme, "Bearer"):
	case strings.EqualFold(scheme, "Basic"):
		_, shown, _ = r.BasicAuth()
	default:
		return false
	}
	if shown == "" {
		return false
	}
	sum := sha256.Sum256([]byte(shown))
	return subtle.ConstantTimeCompare(sum[:], s.secret[:]) == 1
}

// unauthorized refuses, and makes room: connections are for those who may ask.
func (s *Server) unauthorized(w http.ResponseWriter, r *http.Request) {
	if omitted, ok := s.storms.Allow("unauthorized"); ok {
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		s.log.Warn("a request for http_auth has not shown the secret", "address", host,
			"hint", "the server must send what bearer_secret_file holds, as bearer token or as password", "similar_lines_omitted", omitted)
	}
	w.Header().Set("Connection", "close")
	w.Header().Add("WWW-Authenticate", "Bearer")
	w.Header().Add("WWW-Authenticate", `Basic realm="xtokend"`)
	say(w, http.StatusUnauthorized, "show the secret")
}

// say answers with a length, which MongooseIM insists on.
func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	w.Write([]byte(text)) // who has gone needs no answer
}
