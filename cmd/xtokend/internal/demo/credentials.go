package demo

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"xtokend/auth"
)

// credentials answers as the credentials URL of a site does, for whatever name is
// asked: a token, good for one login within about a minute.
func (s *site) credentials(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	name, complaint := prepare(r.FormValue("name"))
	if complaint != "" {
		http.Error(w, complaint, http.StatusBadRequest)
		return
	}
	token, err := s.Issue(name)
	if err != nil {
		http.Error(w, "no token can be made: every key has ended", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]string{"jid": name.Localpart() + "@" + s.Domain, "password": token})
}

// prepare takes a name as tokens do. complaint is for the person who typed it; "":
// the name is good.
func prepare(typed string) (name auth.Name, complaint string) {
	switch {
	case typed == "":
		return auth.Name{}, "give a name, such as alice"
	case strings.Contains(typed, "@"):
		return auth.Name{}, "give the name alone, what stands before the @ of an address"
	}
	name, err := auth.PrepareName(typed)
	if err == nil {
		return name, ""
	}
	complaint = "this cannot be the name of a user"
	var refusal *auth.Refusal
	if errors.As(err, &refusal) && refusal.Detail != "" {
		complaint += ": " + refusal.Detail
	}
	return auth.Name{}, complaint
}
