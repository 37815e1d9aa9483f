package web

import (
	"net/http/httptest"
	"strings"
	"testing"

	"xtokend/component"
)

func TestXTokenJS(t *testing.T) {
	var s Server
	get := func(method, ifNoneMatch string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "/xtoken.js", nil)
		if ifNoneMatch != "" {
			r.Header.Set("If-None-Match", ifNoneMatch)
		}
		w := httptest.NewRecorder()
		s.xtokenJS(w, r, component.Client{})
		return w
	}
	w := get("GET", "")
	if w.Code != 200 || w.Header().Get("Content-Type") != "text/javascript; charset=utf-8" || !strings.Contains(w.Body.String(), "export default function xtoken(Strophe)") {
		t.Errorf("GET: status %d, header %v, body %q", w.Code, w.Header(), w.Body)
	}
	tag := w.Header().Get("ETag")
	for _, c := range []struct {
		name, method, ifNoneMatch string
		status, bytes             int
	}{
		{"HEAD", "HEAD", "", 200, 0},
		{"unchanged", "GET", tag, 304, 0},
		{"changed", "GET", `"0123456789abcdef"`, 200, len(xtokenScript)},
		{"POST", "POST", "", 405, -1},
	} {
		w := get(c.method, c.ifNoneMatch)
		if w.Code != c.status || c.bytes >= 0 && w.Body.Len() != c.bytes {
			t.Errorf("%s: status %d, %d bytes", c.name, w.Code, w.Body.Len())
		}
	}
}
