package admin

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"xtokend/cmd/xtokend/internal/extauth"
	"xtokend/cmd/xtokend/internal/httpserver"
)

// Server answers the commands.
type Server struct {
	*httpserver.Server
	daemon Daemon
	log    *slog.Logger
}

// NewServer returns a server that serves nothing yet. The log gets what people
// have the daemon do.
func NewServer(d Daemon, log *slog.Logger) *Server {
	s := &Server{daemon: d, log: log}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, r *http.Request) { reply(w, http.StatusOK, d.Status(r.Context())) })
	mux.HandleFunc("GET /sessions", func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, d.Sessions()) })
	mux.HandleFunc("POST /revoke", s.revoke)
	mux.HandleFunc("POST /answer", s.answer)
	mux.HandleFunc("POST /remove-trial", s.removeTrial)
	mux.HandleFunc("POST /drain", func(w http.ResponseWriter, _ *http.Request) {
		done := d.Drain()
		if !done.Already {
			log.Info("draining: nobody new is let in", "left", done.Left)
		}
		reply(w, http.StatusOK, done)
	})
	bounds := httpserver.Bounds{
		Connections: 16,
		HeaderBytes: 4096,
		// Enough for a server's question, which JSON may write as six times as many bytes,
		// and for an address: none is longer than 3071 (RFC 7622 §3.1).
		BodyBytes: 6*extauth.MaxQuestionBytes + 200,
		Request:   5 * time.Second,
		Answer:    30 * time.Second, // with the wait for the replay store
		Idle:      10 * time.Second,
	}
	s.Server = httpserver.New(mux, bounds, nil, log)
	return s
}

// revocation is the body of a request to revoke.
type revocation struct {
	User string `json:"user"`
}

func (s *Server) revoke(w http.ResponseWriter, r *http.Request) {
	var asked revocation
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		reply(w, http.StatusBadRequest, &Error{Text: "the request cannot be read", Usage: true})
		return
	}
	done, err := s.daemon.Revoke(r.Context(), asked.User)
	if err == nil {
		s.log.Info("revoked", "user", done.User, "sessions_ended", done.Ended)
		reply(w, http.StatusOK, done)
		return
	}
	var refusal *Error
	if !errors.As(err, &refusal) {
		refusal = &Error{Text: err.Error()}
	}
	if !refusal.Usage {
		s.log.Warn("revoking failed", "user", done.User, "sessions_ended", done.Ended, "error", refusal.Text)
	}
	reply(w, http.StatusConflict, refusal)
}

// answer answers a server's question. What became of it is in the daemon's own log.
func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	var asked extauth.Question
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		reply(w, http.StatusBadRequest, &Error{Text: "the question cannot be read", Usage: true})
		return
	}
	yes, err := s.daemon.Answer(r.Context(), asked)
	if err != nil {
		reply(w, http.StatusServiceUnavailable, &Error{Text: "nobody can tell at the moment", Hint: "the daemon's log says why"})
		return
	}
	reply(w, http.StatusOK, Answered{yes})
}

// removal is the body of a request to remove a trial account.
type removal struct {
	User string `json:"user"`
}

func (s *Server) removeTrial(w http.ResponseWriter, r *http.Request) {
	var asked removal
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		reply(w, http.StatusBadRequest, &Error{Text: "the request cannot be read", Usage: true})
		return
	}
	if err := s.daemon.RemoveTrial(r.Context(), asked.User); err != nil {
		var refusal *Error
		if !errors.As(err, &refusal) {
			refusal = &Error{Text: err.Error()}
		}
		reply(w, http.StatusConflict, refusal)
		return
	}
	s.log.Info("a trial account was removed", "user", asked.User)
	reply(w, http.StatusOK, struct{}{})
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v) // who has gone needs no answer
}
