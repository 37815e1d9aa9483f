package httpauth

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"unicode/utf8"

	"xtokend/cmd/xtokend/internal/extauth"
)

const (
	notAForm  = "the question is not user=…&server=…&pass=…, each once, in UTF-8"
	inTheBody = "with POST the question belongs in the body"
)

// question reads what is asked: from the query of a GET request, or from the body of
// a POST request, a form. The status is 200, or one to answer with the text.
func question(verb extauth.Verb, r *http.Request) (q extauth.Question, status int, text string) {
	encoded := r.URL.RawQuery
	if r.Method == http.MethodPost {
		if encoded != "" {
			return q, http.StatusBadRequest, inTheBody
		}
		kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		if err != nil || kind != "application/x-www-form-urlencoded" {
			return q, http.StatusUnsupportedMediaType, "send application/x-www-form-urlencoded"
		}
		body, err := io.ReadAll(r.Body)
		var tooLong *http.MaxBytesError
		switch {
		case errors.As(err, &tooLong):
			return q, http.StatusRequestEntityTooLarge, "the body is too long"
		case err != nil:
			return q, http.StatusRequestTimeout, "the body has not come in time"
		}
		encoded = string(body)
	}
	q, ok := Parse(verb, encoded)
	if !ok {
		return q, http.StatusBadRequest, notAForm
	}
	return q, http.StatusOK, ""
}

// Parse reads a question from a form (application/x-www-form-urlencoded). The password of a
// question that needs none is undefined in MongooseIM's contract, and is left out. ok
// is false if a field is missing, there twice, or too long, or if it is no form.
func Parse(verb extauth.Verb, encoded string) (q extauth.Question, ok bool) {
	form, err := url.ParseQuery(encoded)
	if err != nil {
		return extauth.Question{}, false
	}
	q = extauth.Question{Verb: verb, User: form.Get("user"), Server: form.Get("server")}
	fields := []string{"user", "server"}
	if verb == extauth.CheckPassword {
		q.Password = form.Get("pass")
		fields = append(fields, "pass")
	}
	for _, field := range fields {
		if values := form[field]; len(values) != 1 || !utf8.ValidString(values[0]) {
			return extauth.Question{}, false
		}
	}
	if q.User == "" || q.Server == "" || len(q.User)+len(q.Server)+len(q.Password) > extauth.MaxQuestionBytes {
		return extauth.Question{}, false
	}
	return q, true
}
