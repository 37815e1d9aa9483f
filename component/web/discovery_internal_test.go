package web

import (
	"encoding/json"
	"encoding/xml"
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCheckPublicURL(t *testing.T) {
	for text, want := range map[string]string{ // "": good
		"wss://chat.example.org/xmpp-websocket":   "",
		"https://chat.example.org:5281/http-bind": "",
		"HTTPS://chat.example.org":                "",
		"wss://[2001:db8::1]/":                    "",
		"wss://münchen.example/?a=b&c=d":          "",
		"ws://chat.example.org/":                  "is not encrypted",
		"http://chat.example.org/":                "is not encrypted",
		"ftp://chat.example.org/":                 "neither of WebSocket nor of BOSH",
		"/http-bind":                              "is not an absolute URL",
		"https:///http-bind":                      "is not an absolute URL",
		"https://a b/":                            "is not an absolute URL",
		"https://:443/":                           "has no host",
		"https://alice@chat.example.org/":         "has a user or a fragment",
		"https://chat.example.org/#":              "has a user or a fragment",
	} {
		err := CheckPublicURL(text)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: error %v, want %q", text, err, want)
		}
	}
}

// links reads both forms of an answer as a client would, and wants them to agree.
func links(t *testing.T, d *discovery, host string) (status int, all map[string]string) {
	t.Helper()
	r := httptest.NewRequest("GET", "/.well-known/host-meta", nil)
	r.Host = host
	first, second := httptest.NewRecorder(), httptest.NewRecorder()
	d.serveXRD(first, r)
	d.serveJRD(second, r)
	if first.Code != second.Code {
		t.Fatalf("host-meta answers %d, host-meta.json %d", first.Code, second.Code)
	}
	for _, w := range []*httptest.ResponseRecorder{first, second} {
		if got := w.Header().Get("Access-Control-Allow-Origin"); got != "*" {
			t.Errorf("Access-Control-Allow-Origin: %q", got)
		}
	}
	if first.Code != 200 {
		return first.Code, nil
	}
	var document struct {
		XMLName xml.Name `json:"-"`
		Links   []struct {
			Rel  string `xml:"rel,attr" json:"rel"`
			Href string `xml:"href,attr" json:"href"`
		} `xml:"http://docs.oasis-open.org/ns/xri/xrd-1.0 Link" json:"links"`
	}
	read := func(err error) map[string]string {
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]string{}
		for _, l := range document.Links {
			found[l.Href] = l.Rel
		}
		document.Links = nil
		return found
	}
	fromXRD := read(xml.NewDecoder(first.Body).Decode(&document))
	if want := (xml.Name{Space: "http://docs.oasis-open.org/ns/xri/xrd-1.0", Local: "XRD"}); document.XMLName != want {
		t.Errorf("the root is %v", document.XMLName)
	}
	fromJRD := read(json.NewDecoder(second.Body).Decode(&document))
	if diff := cmp.Diff(fromXRD, fromJRD); diff != "" {
		t.Errorf("host-meta -, host-meta.json +:\n%s", diff)
	}
	for w, want := range map[*httptest.ResponseRecorder]string{first: "application/xrd+xml; charset=utf-8", second: "application/json"} {
		if got := w.Header().Get("Content-Type"); got != want {
			t.Errorf("Content-Type: %q, want %q", got, want)
		}
	}
	return 200, fromXRD
}

func TestHostMeta(t *testing.T) {
	const websocket, bosh = "urn:xmpp:alt-connections:websocket", "urn:xmpp:alt-connections:xbosh"
	org := map[string]string{"wss://chat.example.org/xmpp-websocket": websocket, "https://chat.example.org/http-bind?a=b&c='<\"": bosh}
	net := map[string]string{"wss://chat.example.org:444/": websocket}
	many := []Domain{
		{Name: "example.org", PublicURLs: []string{"wss://chat.example.org/xmpp-websocket", "https://chat.example.org/http-bind?a=b&c='<\""}},
		{Name: "münchen.example", PublicURLs: []string{"wss://chat.example.org:444/"}},
		{Name: "example.com"},
		{Name: "chat.example.com", PublicURLs: []string{"wss://example.com/"}},
	}
	for _, c := range []struct {
		name    string
		domains []Domain
		host    string
		want    map[string]string // nil: not found
	}{
		{"domain", many, "example.org", org},
		{"domain with a port", many, "example.org:5281", org},
		{"domain in capitals, with a dot", many, "EXAMPLE.org.", org},
		{"domain in its ASCII form", many, "xn--mnchen-3ya.example", net},
		{"host of an address, the first domain's", many, "chat.example.org", org},
		{"domain before the host of another's address", many, "example.com", nil},
		{"domain that has an address elsewhere", many, "chat.example.com", map[string]string{"wss://example.com/": websocket}},
		{"unknown", many, "example.net", nil},
		{"empty", many, "", nil},
		{"rubbish", many, "[", nil},
		{"unknown, one domain", many[:1], "192.0.2.1:5281", org},
		{"IPv6, one domain", many[:1], "[2001:db8::1]", org},
		{"IPv6 of an address", append([]Domain{{Name: "v6.example", PublicURLs: []string{"wss://[2001:DB8::1]/"}}}, many...), "[2001:db8::1]:443", map[string]string{"wss://[2001:DB8::1]/": websocket}},
		{"domain that is an address", []Domain{{Name: "[::1]", PublicURLs: []string{"wss://example.org/"}}, {Name: "example.org"}}, "[::1]:5281", map[string]string{"wss://example.org/": websocket}},
		{"domain that is no host", []Domain{{Name: "a..b", PublicURLs: []string{"wss://example.org/"}}}, "example.org", map[string]string{"wss://example.org/": websocket}},
		{"one domain without addresses", many[2:3], "example.com", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := newDiscovery(c.domains)
			if err != nil {
				t.Fatal(err)
			}
			status, got := links(t, d, c.host)
			if want := map[bool]int{true: 404, false: 200}[c.want == nil]; status != want {
				t.Errorf("status %d, want %d", status, want)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
		})
	}
	if _, err := newDiscovery([]Domain{{Name: "example.org", PublicURLs: []string{"ws://chat.example.org/"}}}); err == nil {
		t.Error("an address in clear: no error")
	}
}

func TestHostMetaMethods(t *testing.T) {
	d, err := newDiscovery([]Domain{{Name: "example.org", PublicURLs: []string{"wss://example.org/"}}})
	if err != nil {
		t.Fatal(err)
	}
	for method, want := range map[string]int{"GET": 200, "HEAD": 200, "POST": 405, "OPTIONS": 405} {
		w := httptest.NewRecorder()
		d.serveXRD(w, httptest.NewRequest(method, "/.well-known/host-meta", nil))
		body, _ := io.ReadAll(w.Body)
		if w.Code != want || method == "HEAD" && (len(body) > 0 || w.Header().Get("Content-Length") == "") {
			t.Errorf("%s: status %d, %d bytes, header %v", method, w.Code, len(body), w.Header())
		}
	}
}
