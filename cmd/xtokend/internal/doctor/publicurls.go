package doctor

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// maxHostMetaBytes bounds a document that the domain's web server gives.
const maxHostMetaBytes = 64 << 10

// publicURLs looks at the addresses for browsers as browsers meet them, and at the
// documents that name them (XEP-0156).
func (x *examination) publicURLs(ctx context.Context, d *Domain) {
	if len(d.PublicURLs) == 0 {
		x.about(TopicHostMeta, d.Name).skip("public_urls is empty: there is no host-meta, and pages must name the address themselves")
		return
	}
	for _, text := range d.PublicURLs {
		if ctx.Err() != nil {
			return
		}
		x.publicURL(ctx, d, text)
	}
	x.hostMeta(ctx, d)
}

// publicClient is a client for what the DNS names, and what it is shown.
func (x *examination) publicClient(host string, seen *tls.ConnectionState) *http.Client {
	client := webClient(x.dialName, clientTLS(host))
	client.Transport.(*http.Transport).TLSClientConfig.VerifyConnection = func(state tls.ConnectionState) error {
		*seen = state
		return nil
	}
	return client
}

func (x *examination) publicURL(ctx context.Context, d *Domain, text string) {
	ctx, cancel := step(ctx)
	defer cancel()
	a := x.about(TopicLogin, d.Name)
	u, err := url.Parse(text)
	if err != nil {
		return // the settings have been checked
	}
	var state tls.ConnectionState
	client := x.publicClient(u.Hostname(), &state)
	defer client.CloseIdleConnections()
	var c carrier
	if u.Scheme == "wss" {
		c, err = dialWebSocket(ctx, client, text, nil, d.Name)
	} else {
		c, err = newBOSH(ctx, client, text, http.Header{}, d.Name)
	}
	offered := []string{}
	if err == nil {
		defer c.close()
		var features, ferr = c.open()
		offered, err = mechanisms(features), ferr
	}
	if len(state.PeerCertificates) > 0 {
		x.certificate(d.Name, asciiName(u.Hostname()), "at "+u.Host, &state)
	}
	switch {
	case err != nil && !x.Running:
		a.skip("%s cannot be tried while xtokend does not run", text)
	case err != nil:
		a.fail(publicHint(err), "%s does not answer as it should: %v", text, err)
	case len(offered) == 0:
		a.fail("the proxy must be in trusted_proxies, and send X-Forwarded-Proto: https and X-Forwarded-For; see contrib/nginx.conf and contrib/haproxy.cfg",
			"%s offers no login: xtokend does not know that the client came over TLS", text)
	case !slices.Contains(offered, d.Mechanisms[0]):
		a.fail("have the proxy pass this path on to xtokend's listener for HTTP", "%s is answered by somebody else: it offers %s", text, strings.Join(offered, ", "))
	default:
		a.ok("%s leads to xtokend", text)
	}
}

// publicHint says what a failure at a public address comes from.
func publicHint(err error) string {
	var status *statusError
	if !errors.As(err, &status) {
		return "see that the name leads to this machine or its proxy, and that the port is open to clients"
	}
	if fromProxy(err) {
		return "the proxy does not reach xtokend: see that its upstream is xtokend's listener for HTTP"
	}
	switch status.status {
	case http.StatusNotFound:
		return "have the proxy pass on /xmpp-websocket and /http-bind to xtokend's listener for HTTP, and write the path so in public_urls"
	case http.StatusForbidden:
		return "the proxy must be in trusted_proxies"
	case http.StatusBadRequest, http.StatusUpgradeRequired, http.StatusOK:
		return "for WebSocket the proxy must use HTTP/1.1 and pass on Upgrade and Connection; see contrib/nginx.conf"
	}
	return "see the proxy's log and xtokend's; contrib/nginx.conf and contrib/haproxy.cfg are examples"
}

// fromProxy reports whether a proxy says that nobody answers behind it (RFC 9110
// §15.6.3 to §15.6.5).
func fromProxy(err error) bool {
	var status *statusError
	return errors.As(err, &status) &&
		slices.Contains([]int{http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout}, status.status)
}

// hostMeta looks whether the domain's web server gives out the addresses of the
// settings: it, and not xtokend's listener, is asked by clients (XEP-0156 §3).
func (x *examination) hostMeta(ctx context.Context, d *Domain) {
	for _, form := range []struct {
		path  string
		links func([]byte) ([]string, error)
	}{{"/.well-known/host-meta", xrdLinks}, {"/.well-known/host-meta.json", jrdLinks}} {
		x.hostMetaDocument(ctx, d, "https://"+asciiName(d.Name)+form.path, form.links)
	}
}

func (x *examination) hostMetaDocument(ctx context.Context, d *Domain, address string, links func([]byte) ([]string, error)) {
	ctx, cancel := step(ctx)
	defer cancel()
	a := x.about(TopicHostMeta, d.Name)
	hint := "have the web server of " + d.Name + " pass the path on to xtokend's listener for HTTP, or give out what xtokend does there"
	var state tls.ConnectionState
	client := x.publicClient(d.Name, &state)
	defer client.CloseIdleConnections()
	client.CheckRedirect = nil // browsers follow
	body, header, err := get(ctx, client, address)
	if len(state.PeerCertificates) > 0 {
		x.certificate(d.Name, asciiName(d.Name), "at "+asciiName(d.Name)+":443", &state)
	}
	if !x.Running && fromProxy(err) {
		a.skip("%s cannot be tried while xtokend does not run", address)
		return
	}
	if err != nil {
		a.warn(hint+"; without it, name the addresses in each page, with discover_connection_methods: false", "%s: %v: clients that know the domain alone do not find the addresses for browsers", address, err)
		return
	}
	found, err := links(body)
	if err != nil {
		a.warn(hint, "%s: %v", address, err)
		return
	}
	var missing []string
	for _, want := range d.PublicURLs {
		if !slices.Contains(found, want) {
			missing = append(missing, want)
		}
	}
	var others []string
	for _, link := range found {
		if !slices.Contains(d.PublicURLs, link) {
			others = append(others, link)
		}
	}
	switch {
	case len(missing) > 0:
		a.fail(hint, "%s does not name %s", address, strings.Join(missing, ", "))
	case len(others) > 0:
		a.fail("take them out, unless they lead to another xtokend of the domain", "%s names %.300s too, which clients may take", address, strings.Join(others, ", "))
	case header.Get("Access-Control-Allow-Origin") != "*":
		a.warn("have the web server send Access-Control-Allow-Origin: * with it (XEP-0156 §5)", "%s cannot be read by pages of other sites", address)
	default:
		a.ok("%s names the addresses of the settings", address)
	}
}

func get(ctx context.Context, client *http.Client, address string) ([]byte, http.Header, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, nil, err
	}
	answer, err := client.Do(request)
	if err != nil {
		return nil, nil, errors.Unwrap(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, nil, &statusError{answer.StatusCode}
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxHostMetaBytes))
	return body, answer.Header, err
}

// relations of the links that are for chat (XEP-0156 §3).
var relations = []string{"urn:xmpp:alt-connections:websocket", "urn:xmpp:alt-connections:xbosh"}

type metaLink struct {
	Rel  string `xml:"rel,attr" json:"rel"`
	Href string `xml:"href,attr" json:"href"`
}

func xrdLinks(text []byte) ([]string, error) {
	var document struct {
		XMLName xml.Name   `xml:"http://docs.oasis-open.org/ns/xri/xrd-1.0 XRD"`
		Links   []metaLink `xml:"Link"`
	}
	if err := xml.NewDecoder(bytes.NewReader(text)).Decode(&document); err != nil {
		return nil, errors.New("the answer is no XRD document")
	}
	return forChat(document.Links), nil
}

func jrdLinks(text []byte) ([]string, error) {
	var document struct {
		Links []metaLink `json:"links"`
	}
	if err := json.Unmarshal(text, &document); err != nil {
		return nil, fmt.Errorf("the answer is no JSON document")
	}
	return forChat(document.Links), nil
}

func forChat(all []metaLink) []string {
	var found []string
	for _, l := range all {
		if slices.Contains(relations, l.Rel) {
			found = append(found, l.Href)
		}
	}
	return found
}
