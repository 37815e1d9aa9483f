package web

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// hostMetaMaxAge is how long, in seconds, host-meta may be kept by clients.
const hostMetaMaxAge = "300"

// CheckPublicURL returns an error unless text can stand in host-meta: an absolute
// wss:// or https:// address (XEP-0156 §3). The error says what is wrong with
// text, which it does not repeat.
func CheckPublicURL(text string) error {
	_, err := publicLink(text)
	return err
}

// link is a Link of host-meta, in both of its forms (RFC 6415 §3.1 and appendix A).
type link struct {
	Rel  string `xml:"rel,attr" json:"rel"`
	Href string `xml:"href,attr" json:"href"`
	host string
}

// publicLink says what a public URL is an address of: its scheme tells it.
func publicLink(text string) (link, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return link{}, errors.New("is not an absolute URL")
	}
	l := link{Href: text}
	switch u.Scheme {
	case "wss":
		l.Rel = "urn:xmpp:alt-connections:websocket"
	case "https":
		l.Rel = "urn:xmpp:alt-connections:xbosh"
	case "ws", "http":
		return link{}, errors.New("is not encrypted, and clients must not use it")
	default:
		return link{}, errors.New("is an address neither of WebSocket nor of BOSH")
	}
	if u.User != nil || strings.Contains(text, "#") {
		return link{}, errors.New("has a user or a fragment")
	}
	if l.host, err = normalHost(u.Hostname()); err != nil {
		return link{}, err
	}
	return l, nil
}

// hostMeta is the document of one domain in both forms.
type hostMeta struct{ xrd, jrd []byte }

// discovery answers for host-meta (XEP-0156, RFC 6415), from what the settings
// say alone.
type discovery struct {
	byHost map[string]*hostMeta // nil for a domain that says nothing
	only   *hostMeta            // of the only domain, whatever the host
}

// newDiscovery returns an error if a public URL is none.
func newDiscovery(domains []Domain) (*discovery, error) {
	d := &discovery{byHost: make(map[string]*hostMeta)}
	byURL := make(map[string]*hostMeta)
	for _, domain := range domains {
		meta, hosts, err := newHostMeta(domain.PublicURLs)
		if err != nil {
			return nil, fmt.Errorf("web: domain %q: %w", domain.Name, err)
		}
		if name, err := normalHost(strings.Trim(domain.Name, "[]")); err == nil {
			d.byHost[name] = meta
		} // else no Host header is its name
		for _, host := range hosts {
			if byURL[host] == nil {
				byURL[host] = meta
			}
		}
		if len(domains) == 1 {
			d.only = meta
		}
	}
	for host, meta := range byURL {
		if _, isDomain := d.byHost[host]; !isDomain {
			d.byHost[host] = meta
		}
	}
	return d, nil
}

// newHostMeta also returns the hosts of the URLs. It returns nil without URLs.
func newHostMeta(urls []string) (*hostMeta, []string, error) {
	if len(urls) == 0 {
		return nil, nil, nil
	}
	var document struct {
		XMLName xml.Name `xml:"http://docs.oasis-open.org/ns/xri/xrd-1.0 XRD" json:"-"`
		Links   []link   `xml:"Link" json:"links"`
	}
	var hosts []string
	for _, text := range urls {
		l, err := publicLink(text)
		if err != nil {
			return nil, nil, fmt.Errorf("public URL %q %w", text, err)
		}
		document.Links = append(document.Links, l)
		hosts = append(hosts, l.host)
	}
	xrd, err := xml.MarshalIndent(document, "", "  ")
	if err != nil {
		return nil, nil, err
	}
	jrd, err := json.MarshalIndent(document, "", "  ")
	if err != nil {
		return nil, nil, err
	}
	return &hostMeta{xrd: append([]byte(xml.Header), xrd...), jrd: jrd}, hosts, nil
}

// find returns the document for a Host header: of the domain of that name, or of
// the first that has an address there, or of the only domain; nil if there is none.
func (d *discovery) find(host string) *hostMeta {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if host, err := normalHost(strings.TrimSuffix(strings.Trim(host, "[]"), ".")); err == nil {
		if meta, ok := d.byHost[host]; ok {
			return meta
		}
	}
	return d.only
}

// serveXRD answers for /.well-known/host-meta.
func (d *discovery) serveXRD(w http.ResponseWriter, r *http.Request) {
	d.serve(w, r, "application/xrd+xml; charset=utf-8", func(m *hostMeta) []byte { return m.xrd })
}

// serveJRD answers for /.well-known/host-meta.json.
func (d *discovery) serveJRD(w http.ResponseWriter, r *http.Request) {
	d.serve(w, r, "application/json", func(m *hostMeta) []byte { return m.jrd })
}

func (d *discovery) serve(w http.ResponseWriter, r *http.Request, contentType string, form func(*hostMeta) []byte) {
	// XEP-0156 §5: for every page, as the file holds nothing but public addresses
	// and is looked for before anybody knows who may use them.
	w.Header().Set("Access-Control-Allow-Origin", AnyOrigin)
	if !allowRead(w, r) {
		return
	}
	meta := d.find(r.Host)
	if meta == nil {
		http.Error(w, "there is no host-meta here: public_urls of the domain is empty, or the domain is not ours", http.StatusNotFound)
		return
	}
	writeBody(w, r, contentType, hostMetaMaxAge, form(meta))
}

// allowRead answers what is neither GET nor HEAD, and returns false for it.
func allowRead(w http.ResponseWriter, r *http.Request) bool {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return true
	}
	w.Header().Set("Allow", "GET, HEAD")
	http.Error(w, "this is for GET and HEAD", http.StatusMethodNotAllowed)
	return false
}

// writeBody answers GET and HEAD with body, which may be kept for maxAge seconds.
func writeBody(w http.ResponseWriter, r *http.Request, contentType, maxAge string, body []byte) {
	header := w.Header()
	header.Set("Content-Type", contentType)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cache-Control", "public, max-age="+maxAge)
	header.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method == http.MethodGet {
		w.Write(body)
	}
}
