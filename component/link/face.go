package link

import (
	"encoding/xml"
	"errors"
	"log/slog"
	"time"

	"mellium.im/xmlstream"
	"mellium.im/xmpp/commands"
	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/ping"
	"mellium.im/xmpp/stanza"
	"mellium.im/xmpp/version"

	"xtokend/component/host/disco"
)

const (
	// maxRequestBytes bounds what is read of a request. A form with as many
	// addresses as a command takes, each of the longest, has less.
	maxRequestBytes = 64 << 10

	// maxIDBytes bounds the id of a request, which its answer repeats.
	maxIDBytes = 1024

	softwareName = "xtokend"
)

// face is what the component answers to others. Nobody who asks is trusted, and
// who asks may be of another domain. The goroutine that reads owns it.
type face struct {
	name       jid.JID
	domain     jid.JID
	version    string
	admins     map[string]*admin // by bare JID
	operations Operations
	now        func() time.Time
	log        *slog.Logger
	answers    *allowance
	running    chan struct{} // holds an entry for each command that runs
}

func newFace(c Config, l *Link) *face {
	f := &face{
		name: l.name, domain: l.domain, version: c.Version, admins: make(map[string]*admin, len(c.Admins)), operations: c.Operations,
		now: c.Now, log: l.log, answers: newAllowance(), running: make(chan struct{}, maxRunning),
	}
	if f.now == nil {
		f.now = time.Now
	}
	for _, a := range c.Admins {
		f.admins[a.Bare().String()] = &admin{answers: newPeerLimiter()}
	}
	return f
}

// question is an IQ of type get or set, without what it asks.
type question struct {
	id   string
	from jid.JID
	to   jid.JID // the component, or somebody there
	set  bool
}

// payload is what an IQ asks. Of a ping, a disco query and a command none has
// more than this.
type payload struct {
	XMLName   xml.Name
	Node      string `xml:"node,attr"`
	SessionID string `xml:"sessionid,attr"`
	Action    string `xml:"action,attr"`
	Forms     []form `xml:"jabber:x:data x"`
}

// asked takes a request, and answers it if it is to be answered. An error is one
// of the stream.
func (s *session) asked(t xml.TokenReader, start *xml.StartElement, q question) error {
	if !q.to.Domain().Equal(s.face.name) || len(q.id) > maxIDBytes || !s.face.mayAsk(q.from) {
		return nil
	}
	payloads, err := readPayloads(t, start)
	switch {
	case errors.Is(err, errTooLong):
		s.refuse(q, refusal(stanza.Modify, stanza.PolicyViolation, "the request is too long"))
	case err != nil:
		return err
	case len(payloads) != 1: // RFC 6120 §8.2.3
		s.refuse(q, refusal(stanza.Modify, stanza.BadRequest, ""))
	case !q.to.Equal(s.face.name):
		s.refuse(q, unavailable())
	default:
		s.dispatch(q, &payloads[0])
	}
	return nil
}

// mayAsk says whether there is an answer left for this peer. What others ask does
// not keep an admin from being answered.
func (f *face) mayAsk(from jid.JID) bool {
	now := f.now()
	if a := f.admins[from.Bare().String()]; a != nil {
		return a.answers.AllowN(now, 1)
	}
	peer := from.Domain()
	if peer.Equal(f.domain) {
		peer = from.Bare()
	}
	return f.answers.take(peer.String(), now)
}

func (s *session) dispatch(q question, p *payload) {
	admin := s.face.admins[q.from.Bare().String()]
	name := p.XMLName
	switch {
	case name == (xml.Name{Space: commands.NS, Local: "command"}):
		s.command(q, admin, p)
	case q.set:
		s.refuse(q, unavailable())
	case name == (xml.Name{Space: ping.NS, Local: "ping"}):
		s.answer(q, nil)
	case name == (xml.Name{Space: version.NS, Local: "query"}):
		// The operating system is nobody's business.
		s.answer(q, version.Query{Name: softwareName, Version: s.face.version})
	case name == (xml.Name{Space: disco.NSInfo, Local: "query"}):
		s.info(q, admin, p.Node)
	case name == (xml.Name{Space: disco.NSItems, Local: "query"}):
		s.items(q, admin, p.Node)
	default:
		s.refuse(q, unavailable())
	}
}

// info answers what the component is, or what its commands are (XEP-0030 §3,
// XEP-0050 §2.1).
func (s *session) info(q question, admin *admin, node string) {
	info := disco.Info{Node: node}
	switch command := commandOf(node); {
	case node == "":
		info.Identities = []disco.Identity{{Category: "component", Type: "generic", Name: softwareName}}
		info.Features = disco.Features(commands.NS, disco.NSInfo, disco.NSItems, version.NS, ping.NS)
	case node != commands.NS && command == nil:
		s.refuse(q, refusal(stanza.Cancel, stanza.ItemNotFound, ""))
		return
	case admin == nil:
		s.refuse(q, forbidden())
		return
	case command == nil:
		info.Identities = []disco.Identity{{Category: "automation", Type: "command-list", Name: "Commands"}}
	default:
		info.Identities = []disco.Identity{{Category: "automation", Type: "command-node", Name: command.name}}
		info.Features = disco.Features(commands.NS, nsForms)
	}
	s.answer(q, info)
}

// items lists the commands to an admin (XEP-0050 §2.2). There is nothing else.
func (s *session) items(q question, admin *admin, node string) {
	items := disco.Items{Node: node}
	switch {
	case node == "":
	case node != commands.NS:
		s.refuse(q, refusal(stanza.Cancel, stanza.ItemNotFound, ""))
		return
	case admin == nil:
		s.refuse(q, forbidden())
		return
	default:
		for _, c := range adminCommands {
			items.Items = append(items.Items, disco.Item{JID: s.face.name.String(), Node: c.node, Name: c.name})
		}
	}
	s.answer(q, items)
}

// answer sends a result. The payload may be nil.
func (s *session) answer(q question, payload any) {
	s.reply(iq{ID: q.id, From: q.to.String(), To: q.from.String(), Type: stanza.ResultIQ, Payload: payload})
}

func (s *session) refuse(q question, e *iqError) {
	s.reply(iq{ID: q.id, From: q.to.String(), To: q.from.String(), Type: stanza.ErrorIQ, Error: e})
}

var errTooLong = errors.New("the request is too long")

// readPayloads reads the children of an IQ, its start included.
func readPayloads(t xml.TokenReader, start *xml.StartElement) ([]payload, error) {
	var q struct {
		Payloads []payload `xml:",any"`
	}
	d := xml.NewTokenDecoder(xmlstream.MultiReader(xmlstream.Token(*start), &shortened{t, maxRequestBytes}))
	return q.Payloads, d.Decode(&q)
}

// shortened gives tokens of an element until they have more bytes than are left.
type shortened struct {
	xml.TokenReader
	left int
}

func (s *shortened) Token() (xml.Token, error) {
	const tokenBytes = 16 // for each, lest many that are empty are free
	t, err := s.TokenReader.Token()
	s.left -= tokenBytes
	switch t := t.(type) {
	case xml.StartElement:
		s.left -= len(t.Name.Local) + len(t.Name.Space)
		for _, a := range t.Attr {
			s.left -= tokenBytes + len(a.Name.Local) + len(a.Name.Space) + len(a.Value)
		}
	case xml.CharData:
		s.left -= len(t)
	}
	if s.left < 0 {
		return nil, errTooLong
	}
	return t, err
}
