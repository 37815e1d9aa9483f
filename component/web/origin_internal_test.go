package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestParseOrigin(t *testing.T) {
	for text, want := range map[string]string{
		"https://www.example.org":       "https://www.example.org",
		"HTTPS://WWW.Example.ORG":       "https://www.example.org",
		"https://www.example.org:443":   "https://www.example.org",
		"http://www.example.org:80":     "http://www.example.org",
		"http://www.example.org:443":    "http://www.example.org:443",
		"http://localhost:8080":         "http://localhost:8080",
		"http://localhost:08080":        "http://localhost:8080",
		"http://my_host:8080":           "http://my_host:8080",
		"https://münchen.example":       "https://xn--mnchen-3ya.example",
		"http://127.0.0.1:5280":         "http://127.0.0.1:5280",
		"http://[::1]:5280":             "http://[::1]:5280",
		"http://[2001:DB8:0::1]":        "http://[2001:db8::1]",
		"capacitor://localhost":         "capacitor://localhost",
		"chrome-extension://abcdefghij": "chrome-extension://abcdefghij",
	} {
		if got, err := ParseOrigin(text); err != nil || got != want {
			t.Errorf("%s: got %q, error %v, want %q", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"":                                "is not an origin",
		"null":                            "tells none of them apart",
		"www.example.org":                 "is not an origin",
		"//www.example.org":               "is not an origin",
		"mailto:alice@example.org":        "is not an origin",
		"https://":                        "is not an origin",
		"https://a b":                     "is not an origin",
		"https://www.example.org/":        "more than scheme, host and port",
		"https://www.example.org?":        "more than scheme, host and port",
		"https://www.example.org#":        "more than scheme, host and port",
		"https://alice@www.example.org":   "more than scheme, host and port",
		"https://:443":                    "has no host",
		"https://www.example.org:":        "no port behind the colon",
		"https://www.example.org:0":       "has no valid port",
		"https://www.example.org:65536":   "has no valid port",
		"https://*.example.org":           "has a wildcard",
		"https://[fe80::1%25eth0]":        "has no valid host",
		"https://[::1":                    "is not an origin",
		"https://xn--zzzzzzzzzzz.example": "has no valid host",
	} {
		if got, err := ParseOrigin(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %q, error %v, want one with %q", text, got, err, want)
		}
	}
}

func FuzzOrigin(f *testing.F) {
	for _, seed := range []string{"https://www.example.org", "null", "http://[::1]:5280", "https://münchen.example:443", "https://a:0", "*", "https://\u034f", "https://\u02da"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		normal, err := ParseOrigin(text)
		if err != nil {
			return
		}
		if again, err := ParseOrigin(normal); err != nil || again != normal {
			t.Errorf("%q became %q, and that %q, error %v", text, normal, again, err)
		}
		for _, forbidden := range []string{"/", "?", "#", "@", "*", " ", "\r", "\n"} {
			if _, rest, _ := strings.Cut(normal, "://"); strings.Contains(rest, forbidden) {
				t.Errorf("%q became %q", text, normal)
			}
		}
	})
}

func TestAllowedOrigins(t *testing.T) {
	const host = "chat.example.org"
	listed := []string{"https://www.example.org", "http://intranet:8080"}
	for _, c := range []struct {
		name    string
		allowed []string
		host    string
		secure  bool
		origins []string
		want    bool
	}{
		{"no browser", nil, host, true, nil, true},
		{"no browser, listed", listed, host, true, nil, true},
		{"same origin", nil, host, true, []string{"https://chat.example.org"}, true},
		{"same origin, port", nil, host + ":5281", true, []string{"https://chat.example.org:5281"}, true},
		{"same origin, default port", nil, host + ":443", true, []string{"https://chat.example.org"}, true},
		{"same origin, case", nil, "Chat.Example.ORG", true, []string{"https://chat.example.org"}, true},
		{"same origin, not ASCII", nil, "xn--mnchen-3ya.example", true, []string{"https://xn--mnchen-3ya.example"}, true},
		{"same origin in clear", nil, "localhost:5280", false, []string{"http://localhost:5280"}, true},
		{"same origin, IPv6", nil, "[::1]:5280", false, []string{"http://[::1]:5280"}, true},
		{"page in clear, connection over TLS", nil, host, true, []string{"http://chat.example.org"}, false},
		{"page over TLS, connection in clear", nil, host, false, []string{"https://chat.example.org"}, false},
		{"other host", nil, host, true, []string{"https://www.example.org"}, false},
		{"other port", nil, host + ":5281", true, []string{"https://chat.example.org"}, false},
		{"longer host", nil, host, true, []string{"https://chat.example.org.evil.example"}, false},
		{"no origin in particular", nil, host, true, []string{"null"}, false},
		{"empty", nil, host, true, []string{""}, false},
		{"two", nil, host, true, []string{"https://chat.example.org", "https://chat.example.org"}, false},
		{"path", nil, host, true, []string{"https://chat.example.org/"}, false},
		{"no host", nil, "", true, []string{"https://chat.example.org"}, false},
		{"rubbish for a host", nil, "chat.example.org/", true, []string{"https://chat.example.org"}, false},

		{"listed", listed, host, true, []string{"https://www.example.org"}, true},
		{"listed, the second", listed, host, true, []string{"http://intranet:8080"}, true},
		{"listed, in clear", listed, host, true, []string{"http://www.example.org"}, false},
		{"same origin, not listed", listed, host, true, []string{"https://chat.example.org"}, false},
		{"no origin in particular, listed", listed, host, true, []string{"null"}, false},

		{"any", []string{"*"}, host, true, []string{"https://evil.example"}, true},
		{"any, no origin in particular", []string{"*"}, host, true, []string{"null"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, err := newOrigins(c.allowed)
			if err != nil {
				t.Fatal(err)
			}
			r := &http.Request{Host: c.host, Header: http.Header{}}
			for _, origin := range c.origins {
				r.Header.Add("Origin", origin)
			}
			if got := o.allows(r, c.secure); got != c.want {
				t.Errorf("got %t", got)
			}
		})
	}
	if _, err := newOrigins([]string{"https://www.example.org/"}); err == nil || !strings.Contains(err.Error(), "more than scheme") {
		t.Errorf("an origin with a path: error %v", err)
	}
}

func TestCORS(t *testing.T) {
	for _, c := range []struct {
		name    string
		allowed []string
		method  string
		origin  string
		status  int // 0: it is for others to answer
		header  map[string]string
	}{
		{"no browser", nil, "POST", "", 0, map[string]string{"Vary": "Origin"}},
		{"no browser asks", nil, "OPTIONS", "", 204, map[string]string{"Vary": "Origin", "Allow": "POST, OPTIONS"}},
		{"allowed", []string{"https://www.example.org"}, "POST", "https://www.example.org", 0,
			map[string]string{"Vary": "Origin", "Access-Control-Allow-Origin": "https://www.example.org"}},
		{"preflight", []string{"https://www.example.org"}, "OPTIONS", "https://www.example.org", 204, map[string]string{
			"Vary": "Origin", "Allow": "POST, OPTIONS", "Access-Control-Allow-Origin": "https://www.example.org",
			"Access-Control-Allow-Methods": "POST, OPTIONS", "Access-Control-Allow-Headers": "Content-Type", "Access-Control-Max-Age": "7200"}},
		{"any", []string{"*"}, "POST", "https://evil.example", 0, map[string]string{"Vary": "Origin", "Access-Control-Allow-Origin": "*"}},
		{"not allowed", nil, "POST", "https://evil.example", 403, map[string]string{"Vary": "Origin"}},
		{"preflight, not allowed", nil, "OPTIONS", "https://evil.example", 403, map[string]string{"Vary": "Origin"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, err := newOrigins(c.allowed)
			if err != nil {
				t.Fatal(err)
			}
			w := httptest.NewRecorder()
			r := httptest.NewRequest(c.method, "https://chat.example.org/http-bind", nil)
			if c.origin != "" {
				r.Header.Set("Origin", c.origin)
			}
			if c.status == 403 {
				defer func() {
					if body := w.Body.String(); !strings.Contains(body, `"https://chat.example.org"`) {
						t.Errorf("body %q", body)
					}
				}()
			}
			if goOn := o.share(w, r, true, "POST, OPTIONS"); goOn != (c.status == 0) || !goOn && w.Code != c.status {
				t.Errorf("goes on: %t, status %d", goOn, w.Code)
			}
			for name := range w.Header() {
				if name != "Content-Type" && name != "X-Content-Type-Options" && w.Header().Get(name) != c.header[name] {
					t.Errorf("%s: %q, want %q", name, w.Header().Get(name), c.header[name])
				}
			}
			for name, want := range c.header {
				if got := w.Header().Get(name); got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
		})
	}
}
