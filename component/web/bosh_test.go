package web_test

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"xtokend/component/web"
	"xtokend/internal/bosh"
)

// A proxy in front of several nodes sees whose session it is.
func TestBOSHSIDNamesTheNode(t *testing.T) {
	t.Parallel()
	sc := &scene{}
	sc.config.Node = "n1"
	sc.start(t)
	c := sc.bosh(t, "http://"+sc.http+"/http-bind")
	c.create(boshCreation)
	if node, random, _ := strings.Cut(c.sid, "-"); node != "n1" || len(random) != 26 {
		t.Errorf("the sid has the form of %q", c.sid)
	}
	c.authenticate()
}

func TestBOSHLogin(t *testing.T) {
	t.Parallel()
	sc := (&scene{}).start(t)
	for _, url := range []string{"http://" + sc.http + "/http-bind", "https://" + sc.https + "/http-bind", "http://" + sc.http + "/http-bind/"} {
		t.Run(url, func(t *testing.T) {
			c := sc.bosh(t, url)
			a := c.create(boshCreation)
			match(t, a.body, `<body sid='…' wait='59' requests='2' ver='1.6' polling='5' inactivity='75' hold='1' maxpause='120' `+
				`from='example.org' authid='…' xmlns:xmpp='urn:xmpp:xbosh' xmpp:version='1.0' xmpp:restartlogic='true' ack='4503599627370503' `+
				`xmlns='http://jabber.org/protocol/httpbind' xmlns:stream='http://etherx.jabber.org/streams'>`+boshMechanisms+`</body>`)
			for name, want := range map[string]string{"Content-Type": "text/xml; charset=utf-8", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
				"Content-Security-Policy": "sandbox; default-src 'none'"} {
				if got := a.Header.Get(name); got != want {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
			if a.ContentLength < 0 || len(a.TransferEncoding) > 0 {
				t.Errorf("the response is sent in pieces: %v", a.TransferEncoding)
			}
			c.authenticate()
			c.say("", `<message xmlns='jabber:client' to='bob@example.org'><body>é&lt;</body></message>`).
				hear(boshBody(`<message xmlns='jabber:client' to='bob@example.org'><body>é&lt;</body></message>`))
			c.say("type='terminate'", `<presence xmlns='jabber:client' type='unavailable'/>`).hear(`<body type='terminate' …/>`)
			sc.awaitLog(t, "session closed", "transport=bosh", "closed by the client")
			if strings.Contains(sc.log.String(), c.sid) {
				t.Error("the log has the sid")
			}
		})
	}
	for _, end := range sc.echo.Ends() {
		if end != nil {
			t.Errorf("an upstream's stream ended with %v", end)
		}
	}
}

// A client that cannot wait polls, and gets in all the same.
func TestBOSHHold0(t *testing.T) {
	t.Parallel()
	sc := (&scene{}).start(t)
	web.SetBOSH(sc.web, func(b *bosh.Config) { b.Polling = time.Nanosecond })
	c := sc.bosh(t, "http://"+sc.http+"/http-bind")
	match(t, c.create(`to='example.org' ver='1.6' wait='60' hold='0'`).body, `<body sid='…' wait='60' requests='1' ver='1.6' polling='0' inactivity='90' hold='0' …>…`)
	for _, step := range []struct{ attrs, payload, until string }{
		{"", "", "</mechanisms>"},
		{"", authElement("alice", sc.token(t, "alice")), "<success"},
		{boshRestart, "", "<bind"},
		{"", "<message/>", "<message"},
	} {
		heard := c.say(step.attrs, step.payload).whole().body
		for !strings.Contains(heard, step.until) {
			if strings.Contains(heard, "terminate") {
				t.Fatalf("waiting for %s: %s", step.until, heard)
			}
			heard = c.say("", "").whole().body
		}
	}
}

// Two requests at once: the older one goes back when the newer one comes.
func TestBOSHOverlappingRequests(t *testing.T) {
	t.Parallel()
	sc := (&scene{}).start(t)
	c := sc.bosh(t, "http://"+sc.http+"/http-bind")
	c.login()
	first := c.held()
	second := c.say("", "<message id='1'/>")
	first.hear(`<body …>…`)
	var heard string
	heard += second.whole().body
	if !strings.Contains(heard, "id='1'") {
		c.say("", "").hear(boshBody(`<message xmlns='jabber:client' id='1'/>`))
	}
}

func TestBOSHNamespaces(t *testing.T) {
	t.Parallel()
	sc := (&scene{}).start(t)
	c := sc.bosh(t, "http://"+sc.http+"/http-bind")
	c.login()
	for _, tc := range []struct{ name, body, want string }{
		{"a stanza that declares nothing", `<body $ xmlns='http://jabber.org/protocol/httpbind'><iq id='1'/></body>`, `<iq id='1'/>`},
		{"a prefix of the body", `<body $ xmlns='http://jabber.org/protocol/httpbind' xmlns:y='urn:y'><iq><y:q/></iq></body>`, `<iq xmlns:y='urn:y'><y:q/></iq>`},
		{"a body with a prefix", `<b:body $ xmlns:b='http://jabber.org/protocol/httpbind' xmlns='jabber:client'><iq id='2'/></b:body>`, `<iq id='2'/>`},
		{"another default namespace", `<b:body $ xmlns:b='http://jabber.org/protocol/httpbind' xmlns='urn:z'><q/></b:body>`, `<q xmlns='urn:z'/>`},
		{"a declaration and space", "<?xml version='1.0' encoding='utf-8'?>\n<body $ xmlns='http://jabber.org/protocol/httpbind'>\n <iq id='3'/>\n</body >\n", `<iq id='3'/>`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			body := strings.Replace(tc.body, "$", "sid='"+c.sid+"' rid='"+utoa(c.rid)+"'", 1)
			c.rid++
			c.do(http.MethodPost, body).whole()
			heard := sc.echo.Heard()
			if got := heard[len(heard)-1]; got != tc.want {
				t.Errorf("the upstream heard %s, want %s", got, tc.want)
			}
		})
	}
}

// Requests that belong to no session, or break the syntax.
func TestBOSHRefusals(t *testing.T) {
	t.Parallel()
	sc := (&scene{}).start(t)
	url := "http://" + sc.http + "/http-bind"
	terminate := func(condition string) string {
		return `<body type='terminate' condition='` + condition + `' xmlns='http://jabber.org/protocol/httpbind'/>`
	}
	const ns = ` xmlns='http://jabber.org/protocol/httpbind'`
	for _, tc := range []struct{ name, body, want string }{
		{"an unknown sid", "<body rid='1' sid='SID'" + ns + "/>", terminate("item-not-found")},
		{"terminate without a sid", "<body rid='1' type='terminate'" + ns + "/>", terminate("item-not-found")},
		{"restart without a sid", "<body rid='1' xmpp:restart='true' xmlns:xmpp='urn:xmpp:xbosh'" + ns + "/>", terminate("item-not-found")},
		{"no 'to'", "<body rid='1'" + ns + "/>", terminate("improper-addressing")},
		{"a domain that is not ours", "<body rid='1' to='example.net'" + ns + "/>", `<body type='terminate' condition='host-unknown' …/>`},
		{"nothing", "", terminate("bad-request")},
		{"no XML", "hello", terminate("bad-request")},
		{"half a tag", "<body rid='1'", terminate("bad-request")},
		{"half a body", "<body rid='1' to='example.org'" + ns + ">", terminate("bad-request")},
		{"another end", "<body rid='1' to='example.org'" + ns + "></bod>", terminate("bad-request")},
		{"something behind it", "<body rid='1' to='example.org'" + ns + "/><body/>", terminate("bad-request")},
		{"text", "<body rid='1' to='example.org'" + ns + ">x</body>", terminate("bad-request")},
		{"a comment", "<body rid='1' to='example.org'" + ns + "><!-- --></body>", terminate("bad-request")},
		{"a document type", "<!DOCTYPE body><body rid='1' to='example.org'" + ns + "/>", terminate("bad-request")},
		{"another namespace", "<body rid='1' to='example.org' xmlns='urn:x'/>", terminate("bad-request")},
		{"another root", "<head rid='1' to='example.org'" + ns + "/>", terminate("bad-request")},
		{"another encoding", "<?xml version='1.0' encoding='ISO-8859-1'?><body rid='1' to='example.org'" + ns + "/>", terminate("bad-request")},
		{"an attribute twice", "<body rid='1' rid='1' to='example.org'" + ns + "/>", terminate("bad-request")},
		{"invalid rid", "<body rid='01' to='example.org'" + ns + "/>", terminate("bad-request")},
		{"no rid", "<body to='example.org'" + ns + "/>", terminate("bad-request")},
		{"a tag too long", "<body rid='1' to='" + strings.Repeat("x", 4096) + "'" + ns + "/>", terminate("bad-request")},
		{"an element too long", "<body rid='1' to='example.org'" + ns + "><a>" + strings.Repeat("x", 16384) + "</a></body>", terminate("bad-request")},
		{"too much", "<body rid='1' to='example.org'" + ns + ">" + strings.Repeat("<a/>", 1<<20) + "</body>", terminate("bad-request")},
	} {
		t.Run(tc.name, func(t *testing.T) { sc.bosh(t, url).do(http.MethodPost, tc.body).hear(tc.want) })
	}
	if n := web.BOSHSessions(sc.web); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
}

func TestBOSHOtherMethods(t *testing.T) {
	t.Parallel()
	sc := (&scene{}).start(t)
	c := sc.bosh(t, "http://"+sc.http+"/http-bind")
	c.do(http.MethodGet, "").hear("This is where XMPP clients connect by BOSH…")
	for method, text := range map[string]string{http.MethodGet: "", http.MethodPut: "", http.MethodPost: "nonsense"} {
		if policy := c.do(method, text).whole().Header.Get("Content-Security-Policy"); policy != "sandbox; default-src 'none'" {
			t.Errorf("%s: the policy of the answer is %q", method, policy)
		}
	}
	a := c.do(http.MethodPut, "").whole()
	if a.StatusCode != http.StatusMethodNotAllowed || a.Header.Get("Allow") == "" {
		t.Errorf("PUT: status %d, Allow %q", a.StatusCode, a.Header.Get("Allow"))
	}
}

// What clients may ask for as the type of responses, and what they get.
func TestBOSHContentType(t *testing.T) {
	t.Parallel()
	sc := (&scene{}).start(t)
	for asked, want := range map[string]string{
		"text/xml; charset=utf-8":         "text/xml; charset=utf-8",
		"text/plain":                      "text/plain",
		"application/xml; charset=UTF-8":  "application/xml; charset=UTF-8",
		"text/html":                       "text/xml; charset=utf-8",
		"image/svg+xml":                   "text/xml; charset=utf-8",
		"application/xhtml+xml":           "text/xml; charset=utf-8",
		"text/xml; charset=iso-8859-1":    "text/xml; charset=utf-8",
		"text/plain&#10;Set-Cookie: a=b;": "text/xml; charset=utf-8",
	} {
		c := sc.bosh(t, "http://"+sc.http+"/http-bind")
		if got := c.create(`to='example.org' content='` + asked + `'`).Header.Get("Content-Type"); got != want {
			t.Errorf("asked for %q, got %q, want %q", asked, got, want)
		}
	}
}

// What is wrong with a session's request ends the session.
func TestBOSHBrokenRules(t *testing.T) {
	t.Parallel()
	streamError := func(condition string) string {
		return `<body type='terminate' condition='remote-stream-error' xmlns='http://jabber.org/protocol/httpbind' xmlns:stream='http://etherx.jabber.org/streams'>` +
			`<stream:error xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'><` + condition + ` …</stream:error></body>`
	}
	const itemNotFound = `<body type='terminate' condition='item-not-found' xmlns='http://jabber.org/protocol/httpbind'/>`
	for _, tc := range []struct {
		name string
		say  func(c *boshClient) *pending
		want string
	}{
		{"rid outside the window", func(c *boshClient) *pending { return c.repeat(c.rid+2, "", "") }, itemNotFound},
		{"rid of long ago", func(c *boshClient) *pending { return c.repeat(c.rid-7, "", "") }, itemNotFound},
		{"invalid rid", func(c *boshClient) *pending {
			return c.do(http.MethodPost, "<body sid='"+c.sid+"' rid='-1' xmlns='http://jabber.org/protocol/httpbind'/>")
		}, `<body type='terminate' condition='bad-request' …/>`},
		{"pause too long", func(c *boshClient) *pending { return c.say("pause='121'", "") }, `<body type='terminate' condition='policy-violation' …/>`},
		{"a comment", func(c *boshClient) *pending { return c.say("", "<!-- -->") }, streamError("restricted-xml")},
		{"text", func(c *boshClient) *pending { return c.say("", "x") }, streamError("not-well-formed")},
		{"half an element", func(c *boshClient) *pending { return c.say("", "<a>") }, streamError("not-well-formed")},
		{"an element too long", func(c *boshClient) *pending { return c.say("", "<a>"+strings.Repeat("x", 300_000)+"</a>") }, streamError("policy-violation")},
		{"a second restart", func(c *boshClient) *pending { return c.say(boshRestart, "") }, `<body type='terminate' condition='bad-request' …/>`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			sc := (&scene{}).start(t)
			c := sc.bosh(t, "http://"+sc.http+"/http-bind")
			c.login()
			tc.say(c).hear(tc.want)
			c.say("", "").hear(itemNotFound)
			if ends := sc.echo.Ends(); len(ends) != 1 || !errors.Is(ends[0], io.EOF) {
				t.Errorf("the upstream's stream ended with %v", ends)
			}
		})
	}
}

// Long elements pass once the client has logged in.
func TestBOSHLongElement(t *testing.T) {
	t.Parallel()
	sc := (&scene{}).start(t)
	c := sc.bosh(t, "http://"+sc.http+"/http-bind")
	c.login()
	long := "<message xmlns='jabber:client'>" + strings.Repeat("x", 250_000) + "</message>"
	c.say("", long+long).hear(boshBody(long) + "…")
}

// A session that began encrypted ends when its sid was seen in clear.
func TestBOSHBegunOverTLSAndContinuedInClear(t *testing.T) {
	t.Parallel()
	sc := &scene{}
	sc.config.TrustedProxies = loopback
	sc.start(t)
	c := sc.bosh(t, "https://"+sc.https+"/http-bind")
	c.login()
	c.url = "http://" + sc.http + "/http-bind"
	c.http.Transport = viaProxy{c.http.Transport}
	c.say("", "").hear(`<body type='terminate' condition='item-not-found' …/>`)
	c.url = "https://" + sc.https + "/http-bind"
	c.say("", "").hear(`<body type='terminate' condition='item-not-found' …/>`)
	sc.awaitLog(t, "session closed", "item-not-found")
}

// viaProxy says of each request that a client elsewhere has sent it in clear.
type viaProxy struct{ http.RoundTripper }

func (v viaProxy) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme == "http" {
		r = r.Clone(r.Context())
		r.Header.Set("X-Forwarded-For", "192.0.2.1")
		r.Header.Set("X-Forwarded-Proto", "http")
	}
	return v.RoundTripper.RoundTrip(r)
}

// What Strophe does after a refused login: the answer lets it begin anew.
func TestBOSHRefusedLoginThenSessionAttributes(t *testing.T) {
	t.Parallel()
	sc := (&scene{}).start(t)
	c := sc.bosh(t, "http://"+sc.http+"/http-bind")
	c.create(boshCreation)
	c.say("", authElement("alice", sc.token(t, "bob"))).hear(boshBody(`<failure …</failure>`))
	c.say(boshCreation, "").hear(`<body type='terminate' condition='item-not-found' xmlns='http://jabber.org/protocol/httpbind'/>`)
	c.sid = ""
	c.login()
}

func TestBOSHKeys(t *testing.T) {
	t.Parallel()
	// The sequence of XEP-0124 §15.3 and §15.4, and a key of another.
	const newkey, key, foreign = "ca393b51b682f61f98e7877d61146407f3d0a770", "bfb06a6f113cd6fd3838ab9d300fdb4fe3da2f7d", "113f58a37245ec9637266cf2fb6e48bfeaf7964e"
	sc := (&scene{}).start(t)
	c := sc.bosh(t, "http://"+sc.http+"/http-bind")
	c.create(boshCreation + " newkey='" + newkey + "'")
	c.say("key='"+key+"'", authElement("alice", sc.token(t, "bob"))).hear(boshBody(`<failure …</failure>`))
	c.say("key='"+foreign+"'", authElement("alice", sc.token(t, "alice"))).hear(`<body type='terminate' condition='item-not-found' …/>`)
	if opened := sc.echo.Opened(); len(opened) != 0 {
		t.Errorf("a request with a wrong key was processed: %q", opened)
	}
}

// A cut connection: the request is sent again, and what it brought is not.
func TestBOSHForcedRetransmission(t *testing.T) {
	t.Parallel()
	sc := (&scene{}).start(t)
	c := sc.bosh(t, "http://"+sc.http+"/http-bind")
	c.login()
	c.held().cut()
	web.AwaitBOSHRequests(sc.web, c.sid, 0)
	io.WriteString(sc.echo.Last(), "<message id='1'/>")
	c.repeat(c.rid-1, "", "").hear(boshBody(`<message xmlns='jabber:client' id='1'/>`))
	c.repeat(c.rid-1, "", "").hear(boshBody(`<message xmlns='jabber:client' id='1'/>`))
}

// Connections that are cut at any moment cost nothing: each message arrives once,
// both ways, and in order.
func TestBOSHCutConnections(t *testing.T) {
	t.Parallel()
	sc := (&scene{}).start(t)
	c := sc.bosh(t, "http://"+sc.http+"/http-bind")
	c.login()
	const messages = 200
	random := rand.New(rand.NewPCG(3, 4))
	var sent, heard strings.Builder
	for i := 0; strings.Count(heard.String(), "<message") < messages; i++ {
		payload := "<presence/>"
		if i < messages {
			payload = "<message id='" + utoa(uint64(i)) + "'/>"
			sent.WriteString(strings.Replace(payload, "<message", "<message xmlns='jabber:client'", 1))
		}
		for range random.IntN(3) {
			c.cut(payload, random)
		}
		body := c.say("", payload).whole().body
		if strings.Contains(body, "type=") {
			t.Fatal(body)
		}
		heard.WriteString(regexp.MustCompile(`</?body[^>]*>|<presence [^>]*>`).ReplaceAllString(body, ""))
	}
	if heard.String() != sent.String() {
		t.Errorf("sent\n%s\ngot\n%s", sent.String(), heard.String())
	}
}

// cut sends the next request, or a part of it, and breaks the connection at once
// or later. It returns when the server has received what there is.
func (c *boshClient) cut(payload string, random *rand.Rand) {
	c.t.Helper()
	conn, err := net.Dial("tcp4", c.sc.http)
	must(c.t, err)
	defer conn.Close()
	received := web.BOSHReceived(c.sc.web, c.sid)
	body := "<body rid='" + utoa(c.rid) + "' sid='" + c.sid + "' xmlns='http://jabber.org/protocol/httpbind'>" + payload + "</body>"
	request := "POST /http-bind HTTP/1.1\r\nHost: example.org\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
	part := len(request)
	if random.IntN(3) == 0 {
		part = random.IntN(part)
	}
	io.WriteString(conn, request[:part])
	if random.IntN(2) == 0 {
		conn.Close()
	}
	if part == len(request) {
		web.AwaitBOSHReceived(c.sc.web, c.sid, received+1)
	}
}

func TestBOSHRepeatedWhileHeld(t *testing.T) {
	t.Parallel()
	sc := (&scene{}).start(t)
	c := sc.bosh(t, "http://"+sc.http+"/http-bind")
	c.login()
	first := c.held()
	second := c.repeat(c.rid-1, "", "")
	first.hear(`<body type='error' xmlns='http://jabber.org/protocol/httpbind'/>`)
	io.WriteString(sc.echo.Last(), "<message id='1'/>")
	second.hear(boshBody(`<message xmlns='jabber:client' id='1'/>`))
}

// A page that was reloaded goes on with the next rid over a new connection.
func TestBOSHReattachAfterReload(t *testing.T) {
	t.Parallel()
	for _, scheme := range []string{"http", "https"} {
		t.Run(scheme, func(t *testing.T) {
			sc := (&scene{}).start(t)
			c := sc.bosh(t, map[string]string{"http": "http://" + sc.http, "https": "https://" + sc.https}[scheme]+"/http-bind")
			c.login()
			c.held().cut()
			web.AwaitBOSHRequests(sc.web, c.sid, 0)
			io.WriteString(sc.echo.Last(), "<message id='1'/>")
			c.http = sc.client(t)
			c.say("", "").hear(boshBody(`<message xmlns='jabber:client' id='1'/>`))
		})
	}
}

// A client that stays away is gone, and its session at the server resumable: no
// stream end.
func TestBOSHInactivity(t *testing.T) {
	t.Parallel()
	sc := (&scene{}).start(t)
	c := sc.bosh(t, "http://"+sc.http+"/http-bind")
	web.SetBOSH(sc.web, func(b *bosh.Config) { b.Inactivity = 200 * time.Millisecond })
	c.login()
	if ends := sc.echo.Ends(); len(ends) != 1 || !errors.Is(ends[0], io.EOF) {
		t.Errorf("the upstream's stream ended with %v", ends)
	}
	sc.awaitLog(t, "session closed", "connection to the client lost")
	c.say("", "").hear(`<body type='terminate' condition='item-not-found' …/>`)
}

func TestBOSHWait(t *testing.T) {
	t.Parallel()
	sc := (&scene{}).start(t)
	web.SetBOSH(sc.web, func(b *bosh.Config) { b.Wait = 100 * time.Millisecond })
	c := sc.bosh(t, "http://"+sc.http+"/http-bind")
	c.login()
	c.say("", "").hear(boshEmpty)
}

// A body that does not come is not waited for, and ends nothing: the client finds
// its connection broken and sends it again.
func TestBOSHBodyThatDoesNotCome(t *testing.T) {
	t.Parallel()
	sc := (&scene{}).start(t)
	web.SetBodyTimeout(sc.web, 100*time.Millisecond)
	c := sc.bosh(t, "http://"+sc.http+"/http-bind")
	c.login()
	start := "<body rid='" + utoa(c.rid) + "' sid='" + c.sid + "' xmlns='http://jabber.org/protocol/httpbind'><message>"
	unknown := "<body rid='1' sid='SID' xmlns='http://jabber.org/protocol/httpbind'>" + "<a>" + strings.Repeat("x", 4000)
	for _, tc := range []struct{ name, method, text, want string }{
		{"nothing", "POST", "", ""},
		{"half a tag", "POST", "<body", ""},
		{"half an element", "POST", start, ""},
		{"the payload of an unknown sid", "POST", unknown, "HTTP/1.1 200 OK…condition='item-not-found'…"},
		{"a body beside GET", "GET", "", "HTTP/1.1 200 OK…"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			conn, err := net.Dial("tcp4", sc.http)
			must(t, err)
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(patience))
			io.WriteString(conn, tc.method+" /http-bind HTTP/1.1\r\nHost: example.org\r\nContent-Length: 10000\r\n\r\n"+tc.text)
			heard, err := io.ReadAll(conn)
			must(t, err)
			match(t, string(heard), tc.want)
		})
	}
	c.say("", "<message/>").hear(boshBody("<message xmlns='jabber:client'/>"))
}

func TestBOSHPollingTooOften(t *testing.T) {
	t.Parallel()
	sc := (&scene{}).start(t)
	c := sc.bosh(t, "http://"+sc.http+"/http-bind")
	c.login()
	held := c.held()
	for range 3 { // a page that is reloaded looks like this, so it is forgiven
		next := c.held()
		held.hear(`<body ack='…' xmlns='http://jabber.org/protocol/httpbind'/>`)
		held = next
	}
	c.say("", "").hear(`<body type='terminate' condition='policy-violation' …/>`)
	held.hear(`<body type='terminate' condition='other-request' …/>`)
}

func TestBOSHTerminateWithPayload(t *testing.T) {
	t.Parallel()
	sc := (&scene{}).start(t)
	c := sc.bosh(t, "http://"+sc.http+"/http-bind")
	c.login()
	first := c.held()
	second := c.say("type='terminate'", "<presence type='unavailable'/>")
	first.hear(`<body type='terminate' …/>`)
	second.hear(boshEmpty)
	c.say("", "<message/>").hear(`<body type='terminate' condition='item-not-found' …/>`)
	if ends := sc.echo.Ends(); len(ends) != 1 || ends[0] != nil {
		t.Errorf("the upstream's stream ended with %v", ends)
	}
	if heard := sc.echo.Heard(); heard[len(heard)-1] != "<presence type='unavailable'/>" {
		t.Errorf("the upstream heard %q", heard)
	}
}

// The server's last words come with the end.
func TestBOSHEndOfTheServer(t *testing.T) {
	t.Parallel()
	sc := (&scene{}).start(t)
	c := sc.bosh(t, "http://"+sc.http+"/http-bind")
	c.login()
	p := c.held()
	io.WriteString(sc.echo.Last(), "<message/><stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>")
	body := p.whole().body
	if !strings.Contains(body, "type='terminate'") {
		body += c.say("", "").whole().body
	}
	match(t, body, `…<message xmlns='jabber:client'/>…<stream:error …><conflict …</stream:error></body>`)
	if !strings.Contains(body, "condition='remote-stream-error'") {
		t.Errorf("the condition is missing: %s", body)
	}
}

func TestBOSHPlainEndOfTheServer(t *testing.T) {
	t.Parallel()
	sc := (&scene{}).start(t)
	c := sc.bosh(t, "http://"+sc.http+"/http-bind")
	c.login()
	p := c.held()
	io.WriteString(sc.echo.Last(), "</stream:stream>")
	p.hear(`<body type='terminate' xmlns='http://jabber.org/protocol/httpbind'/>`)
}

func TestBOSHShutdown(t *testing.T) {
	t.Parallel()
	sc := (&scene{}).start(t)
	c := sc.bosh(t, "http://"+sc.http+"/http-bind")
	c.login()
	p := c.held()
	gap := sc.bosh(t, c.url)
	gap.create(boshCreation)
	gap.rid++
	q := gap.say("", "<x/>")
	web.AwaitBOSHRequests(sc.web, gap.sid, 1)
	sc.shutdown(t)
	p.hear(`<body type='terminate' condition='system-shutdown' xmlns='http://jabber.org/protocol/httpbind'/>`)
	q.hear(`<body type='terminate' condition='system-shutdown' xmlns='http://jabber.org/protocol/httpbind'/>`)
	if ends := sc.echo.Ends(); len(ends) != 1 || !errors.Is(ends[0], io.EOF) {
		t.Errorf("the upstream's stream ended with %v", ends)
	}
}

// At the limit those that have not logged in make room; nobody else does.
func TestBOSHSessionLimit(t *testing.T) {
	t.Parallel()
	sc := &scene{}
	sc.config.Limits.BOSHSessions = 2
	sc.start(t)
	url := "http://" + sc.http + "/http-bind"
	a, b, c := sc.bosh(t, url), sc.bosh(t, url), sc.bosh(t, url)
	a.login()
	b.create(boshCreation)
	c.create(boshCreation)
	b.say("", "").hear(`<body type='terminate' condition='item-not-found' …/>`)
	c.say("", authElement("bob", sc.token(t, "bob"))).hear(boshBody(success))
	c.say(boshRestart, "").hear(`…` + boshFeatures + `…`)
	for range 2 {
		sc.bosh(t, url).say(boshCreation, "").hear(`<body type='terminate' condition='internal-server-error' xmlns='http://jabber.org/protocol/httpbind'/>`)
	}
	sc.bosh(t, url).say("to='example.org' hold='0'", "").hear(`<body type='terminate' condition='internal-server-error' …/>`)
	if n := strings.Count(sc.log.String(), "limits.bosh_sessions"); n != 1 {
		t.Errorf("%d lines in the log about it", n)
	}
	a.say("type='terminate'", "").hear(`<body type='terminate' …/>`)
	b.sid = ""
	b.login()
	// An end that nobody fetches is no reason to refuse others.
	io.WriteString(sc.echo.Last(), "</stream:stream>")
	for d := sc.bosh(t, url); ; d = sc.bosh(t, url) {
		if body := d.say(boshCreation, "").whole().body; !strings.Contains(body, "internal-server-error") {
			break
		}
	}
	if n := web.BOSHSessions(sc.web); n != 2 {
		t.Errorf("%d sessions", n)
	}
}

// A client that never fetches is given up: what waits for it is bounded in time.
func TestBOSHClientThatDoesNotFetch(t *testing.T) {
	t.Parallel()
	sc := &scene{}
	sc.limits.WriteTimeout = 500 * time.Millisecond
	sc.config.Limits.BOSHBufferBytes = 20_000
	sc.start(t)
	c := sc.bosh(t, "http://"+sc.http+"/http-bind")
	c.login()
	io.WriteString(sc.echo.Last(), strings.Repeat("<message>"+strings.Repeat("x", 1000)+"</message>", 40))
	sc.awaitLog(t, "session closed", "transport=bosh")
}

// A restart brings no payload (XEP-0206 §5).
func TestBOSHRestartWithPayload(t *testing.T) {
	t.Parallel()
	sc := (&scene{}).start(t)
	c := sc.bosh(t, "http://"+sc.http+"/http-bind")
	c.create(boshCreation)
	c.say("", authElement("alice", sc.token(t, "alice"))).hear(boshBody(success))
	c.say(boshRestart, "<message id='1'/><!-- -->").hear(`…` + boshFeatures + `…`)
	c.say("", "<message id='2'/>").hear(boshBody(`<message xmlns='jabber:client' id='2'/>`))
	for _, heard := range sc.echo.Heard() {
		if strings.Contains(heard, "id='1'") {
			t.Errorf("the upstream heard %s", heard)
		}
	}
}

// A client that does not fetch stops the server, within the buffer, and gets all
// of it in order once it does.
func TestBOSHBufferLimit(t *testing.T) {
	t.Parallel()
	sc := &scene{}
	sc.config.Limits.BOSHBufferBytes = 20_000
	sc.start(t)
	c := sc.bosh(t, "http://"+sc.http+"/http-bind")
	c.login()
	const n = 400
	go func() {
		for i := range n {
			if _, err := io.WriteString(sc.echo.Last(), "<message id='"+utoa(uint64(i))+"'>"+strings.Repeat("x", 1000)+"</message>"); err != nil {
				return
			}
		}
	}()
	next := 0
	for next < n {
		body := c.say("", "").whole().body
		if len(body) > 25_000 {
			t.Fatalf("a response of %d bytes", len(body))
		}
		for _, part := range strings.SplitAfter(body, "</message>") {
			if i := strings.Index(part, " id='"); i >= 0 {
				if !strings.HasPrefix(part[i:], " id='"+utoa(uint64(next))+"'") {
					t.Fatalf("message %d: %.80s", next, part)
				}
				next++
			}
		}
	}
}
