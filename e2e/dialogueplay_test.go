package e2e

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
)

// player plays one dialogue.
type player struct {
	t        *testing.T
	site     *site
	dialogue dialogue
	to       service
	line     dialogueLine

	sessions  []*speaker // in the order in which they came
	bindings  map[string]string
	trips     int
	resumable map[string]string // full JID by resumption id
}

// speaker is a session of a dialogue.
type speaker struct {
	*stream
	name     string // as in the dialogue
	account  string // bare JID
	jid      string // full; empty: no resource is bound
	heard    []element
	ahead    bool // has sent something since its last round trip
	managed  bool // by XEP-0198, whose round trips count no stanza
	asked    int  // acknowledgements that are still to come
	hasEnded bool
}

// newPlayer returns one whose sessions end with the test.
func newPlayer(t *testing.T, s *site, d dialogue, scheme string) *player {
	ctx, cancel := context.WithTimeout(s.ctx, dialogueTimeout)
	p := &player{t: t, site: s.within(ctx), dialogue: d, to: s.service(scheme), bindings: map[string]string{}, resumable: map[string]string{}}
	t.Cleanup(func() {
		for _, session := range p.sessions {
			session.close()
		}
		cancel()
	})
	return p
}

func (d dialogue) play(t *testing.T, s *site, scheme string) {
	p := newPlayer(t, s, d, scheme)
	for i := 0; i < len(d.lines); i++ {
		p.line = d.lines[i]
		p.line.text = d.own(p.line.text, scheme)
		p.line.or = slices.Clone(p.line.or)
		for j := range p.line.or {
			p.line.or[j] = d.own(p.line.or[j], scheme)
		}
		if p.line.verb == "<~" {
			var group []dialogueLine
			for ; i < len(d.lines) && d.lines[i].verb == "<~" && d.lines[i].session == p.line.session; i++ {
				group = append(group, d.lines[i])
			}
			i--
			p.hearAnyOrder(group)
			continue
		}
		p.do()
	}
	p.quiet()
}

func (p *player) fatalf(format string, args ...any) {
	p.t.Helper()
	p.t.Fatalf("%s.txt:%d: %s", p.dialogue.file, p.line.number, fmt.Sprintf(format, args...))
}

func (p *player) must(err error) {
	p.t.Helper()
	if err != nil {
		p.fatalf("%v", err)
	}
}

func (p *player) do() {
	switch p.line.verb {
	case "":
		p.command()
	case ":":
		p.begin()
	case ">", ">?":
		session := p.session(p.line.session)
		text, err := fill(p.line.text, p.bindings)
		if err == nil {
			p.send(session, text)
		} else if p.line.verb == ">" {
			p.must(err)
		}
	case "<":
		session := p.session(p.line.session)
		if p.line.text == "EOF" {
			p.hearEnd(session)
			return
		}
		heard := p.next(session)
		if err := p.match(session, heard, p.line); err != nil {
			p.fatalf("%s hears\n%s\nnot\n%s\n%v", session.name, show(heard), p.line.text, err)
		}
	case "<?":
		session := p.session(p.line.session)
		p.settle()
		for i, heard := range session.heard {
			if p.match(session, heard, p.line) == nil {
				session.heard = slices.Delete(session.heard, i, i+1)
				return
			}
		}
	}
}

func (p *player) command() {
	words := strings.Fields(p.line.text)
	switch {
	case words[0] == "QUIET" && len(words) == 1:
		p.quiet()
	case words[0] == "BEFRIEND" && len(words) == 3:
		p.befriend(p.session(words[1]), p.session(words[2]))
	case words[0] == "MEET" && len(words) > 2:
		p.meet(words[1], words[2:])
	default:
		p.fatalf("there is no command %s", p.line.text)
	}
}

// begin does what a session does as a whole.
func (p *player) begin() {
	name := p.line.session
	switch p.line.text {
	case "STREAM":
		p.authenticate(name)
	case "LOGIN":
		p.logIn(name)
	case "ONLINE":
		p.appear(p.logIn(name))
	case "END":
		session := p.session(name)
		p.catchUp(session)
		p.must(session.stream.end())
		p.hearEnd(session)
	case "DROP":
		session := p.session(name)
		session.close()
		session.hasEnded = true
	default:
		p.fatalf("there is no command %s", p.line.text)
	}
}

func (p *player) authenticate(name string) *speaker {
	p.t.Helper()
	user, _, _ := strings.Cut(name, "/")
	account := p.dialogue.own(user+"@"+domain, p.to.scheme)
	localpart, _, _ := strings.Cut(account, "@")
	p.catchUp(nil)
	stream, err := p.site.open(p.to)
	p.must(err)
	session := &speaker{stream: stream, name: name, account: account}
	p.sessions = append(p.sessions, session)
	p.must(stream.authenticate("X-TOKEN", localpart, p.site.issuer.token(localpart)))
	p.must(stream.header())
	return session
}

// logIn binds the resource of that name (RFC 6120 §7.7).
func (p *player) logIn(name string) *speaker {
	p.t.Helper()
	session := p.authenticate(name)
	p.next(session) // the features
	_, resource, named := strings.Cut(name, "/")
	if !named {
		p.fatalf("%s has no resource", name)
	}
	resource, _, _ = strings.Cut(resource, "#") // a second session of the name
	p.must(session.write("<iq xmlns='jabber:client' type='set' id='bind'><bind xmlns='%s'><resource>%s</resource></bind></iq>", nsBind, resource))
	answer := p.next(session)
	if session.jid == "" {
		p.fatalf("binding is answered by %s", show(answer))
	}
	return session
}

// appear makes the session available; what contacts have to say of that stays to
// be heard.
func (p *player) appear(session *speaker) *speaker {
	p.t.Helper()
	p.must(session.write("<iq xmlns='jabber:client' type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>"))
	p.must(session.write("<presence xmlns='jabber:client'/>"))
	p.trip(session)
	for _, one := range []func(element) bool{
		func(e element) bool { return e.attribute("id") == "roster" && e.attribute("type") == "result" },
		func(e element) bool { return e.is(nsClient, "presence") && e.attribute("from") == session.jid },
	} {
		at := slices.IndexFunc(session.heard, one)
		if at < 0 {
			p.fatalf("%s has heard no roster, or not its own presence, but\n%s", session.name, show(session.heard...))
		}
		session.heard = slices.Delete(session.heard, at, at+1)
	}
	return session
}

func (p *player) befriend(a, b *speaker) {
	p.t.Helper()
	for _, pair := range [][2]*speaker{{a, b}, {b, a}} {
		p.send(pair[0], fmt.Sprintf("<presence to='%s' type='subscribe'/>", bareJID(pair[1].jid)))
		p.send(pair[1], fmt.Sprintf("<presence to='%s' type='subscribed'/>", bareJID(pair[0].jid)))
	}
	p.forget()
}

// meet lets the first make a room, by the default settings (XEP-0045 §10.1.2), and
// the others join it.
func (p *player) meet(room string, occupants []string) {
	p.t.Helper()
	for i, occupant := range occupants {
		name, nick, _ := strings.Cut(occupant, "=")
		session := p.session(name)
		p.send(session, fmt.Sprintf("<presence to='%s/%s'><x xmlns='http://jabber.org/protocol/muc'/></presence>", room, nick))
		if i == 0 {
			p.send(session, fmt.Sprintf("<iq type='set' id='make' to='%s'><query xmlns='http://jabber.org/protocol/muc#owner'>"+
				"<x xmlns='jabber:x:data' type='submit'/></query></iq>", room))
		}
	}
	p.forget()
}

// forget drops what has been heard of what was said up to now.
func (p *player) forget() {
	p.t.Helper()
	p.settle()
	for _, session := range p.sessions {
		session.heard = nil
	}
}

func (p *player) session(name string) *speaker {
	p.t.Helper()
	for _, session := range slices.Backward(p.sessions) {
		if session.name == name {
			return session
		}
	}
	p.fatalf("there is no session %s", name)
	return nil
}

// send has the session say text, after what others have said took effect.
func (p *player) send(session *speaker, text string) {
	p.t.Helper()
	p.catchUp(session)
	if strings.HasPrefix(text, "<") && !strings.Contains(text[:strings.IndexByte(text, '>')], " xmlns=") {
		end := strings.IndexAny(text, " />")
		text = text[:end] + " xmlns='jabber:client'" + text[end:]
	}
	p.must(session.write("%s", text))
	session.ahead = true
	if strings.HasPrefix(text, "<r ") {
		session.asked++
	}
}

// catchUp makes a round trip with those who have sent something, but for one.
func (p *player) catchUp(but *speaker) {
	p.t.Helper()
	for _, session := range p.sessions {
		if session != but && session.ahead {
			p.trip(session)
		}
	}
}

// settle returns when everybody has heard what was said up to now: the first
// round shows that it took effect, the second fetches what that was.
func (p *player) settle() {
	p.t.Helper()
	for range 2 {
		for _, session := range p.sessions {
			p.trip(session)
		}
	}
}

// trip returns when the server has answered the session, and so have the dialogue's
// rooms, which may be a program of their own to the server. Nothing waits there then
// that the session was to hear.
func (p *player) trip(session *speaker) {
	p.t.Helper()
	session.ahead = false
	if session.jid == "" || session.hasEnded {
		return
	}
	if session.managed {
		session.asked++
		p.must(session.write("<r xmlns='%s'/>", nsSM))
		p.hearUntil(session, func(e element) bool { return e.is(nsSM, "a") })
		return
	}
	for _, to := range append(p.rooms(), domain) {
		p.trips++
		id := fmt.Sprintf("trip-%d", p.trips)
		p.must(session.write("<iq xmlns='jabber:client' type='get' id='%s' to='%s'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>", id, to))
		p.hearUntil(session, func(e element) bool { return e.is(nsClient, "iq") && e.attribute("id") == id })
	}
}

// rooms are those that the dialogue names.
func (p *player) rooms() []string {
	var rooms []string
	for _, line := range p.dialogue.lines {
		for _, room := range dialogueRoom.FindAllString(line.text, -1) {
			if room = p.dialogue.own(room, p.to.scheme); !slices.Contains(rooms, room) {
				rooms = append(rooms, room)
			}
		}
	}
	return rooms
}

// hearUntil keeps what the session hears before the answer.
func (p *player) hearUntil(session *speaker, isAnswer func(element) bool) {
	p.t.Helper()
	for {
		e, err := p.read(session)
		if err != nil {
			p.fatalf("%s loses its stream: %v; it has heard\n%s", session.name, err, show(session.heard...))
		}
		if isAnswer(e) {
			return
		}
		session.heard = append(session.heard, e)
	}
}

// next is the first thing that the session has heard and that was not expected
// yet.
func (p *player) next(session *speaker) element {
	p.t.Helper()
	if len(session.heard) > 0 {
		e := session.heard[0]
		session.heard = session.heard[1:]
		return e
	}
	e, err := p.read(session)
	if err != nil {
		p.fatalf("%s hears no %s: %v", session.name, p.line.text, err)
	}
	return e
}

// read returns what the server says next, and keeps what the player must know of
// it. When the server asks for acknowledgements, and gives those that nobody has
// asked for, is its own affair (XEP-0198 §4): they are left out. So is what ejabberd's
// rooms say of themselves: presence of the room's bare JID, with its capabilities.
func (p *player) read(session *speaker) (element, error) {
	for {
		e, err := session.stream.next()
		if err != nil {
			return e, err
		}
		switch {
		case e.is(nsSM, "r"), e.is(nsSM, "a") && session.asked == 0, p.isRoom(e):
			continue
		case e.is(nsSM, "a"):
			session.asked--
		case e.is(nsSM, "enabled"):
			session.managed = true
			p.resumable[e.attribute("id")] = session.jid
		case e.is(nsSM, "resumed"):
			session.managed = true
			session.jid = p.resumable[e.attribute("previd")]
		case e.is(nsClient, "iq"):
			if bound, ok := e.child("bind"); ok && session.jid == "" {
				if address, ok := bound.child("jid"); ok {
					session.jid = strings.TrimSpace(address.Text)
				}
			}
		}
		return e, nil
	}
}

// isRoom says whether e is a room's own presence.
func (p *player) isRoom(e element) bool {
	kind := e.attribute("type")
	return e.is(nsClient, "presence") && (kind == "" || kind == "unavailable") && strings.HasSuffix(e.attribute("from"), "@"+p.site.Rooms)
}

func (p *player) hearEnd(session *speaker) {
	p.t.Helper()
	e, err := p.read(session)
	if err == nil || !errors.Is(err, io.EOF) || len(session.heard) > 0 {
		p.fatalf("%s hears not the end of its stream but %v\n%s", session.name, err, show(append(session.heard, e)...))
	}
	session.hasEnded = true
	session.ahead = false
	session.close()
}

func (p *player) hearAnyOrder(group []dialogueLine) {
	p.t.Helper()
	session := p.session(p.line.session)
	for i := range group {
		group[i].text = p.dialogue.own(group[i].text, p.to.scheme)
		group[i].or = slices.Clone(group[i].or)
		for j := range group[i].or {
			group[i].or[j] = p.dialogue.own(group[i].or[j], p.to.scheme)
		}
	}
	for len(group) > 0 {
		heard := p.next(session)
		at := slices.IndexFunc(group, func(line dialogueLine) bool { return p.match(session, heard, line) == nil })
		if at < 0 {
			var expected, reasons []string
			for _, line := range group {
				expected = append(expected, line.text)
				reasons = append(reasons, p.match(session, heard, line).Error())
			}
			p.fatalf("%s hears\n%s\nwhich is none of\n%s\n%s", session.name, show(heard), strings.Join(expected, "\n"), strings.Join(reasons, "\n"))
		}
		group = slices.Delete(group, at, at+1)
	}
}

// match compares with the line and its alternatives; the error is the first one's.
func (p *player) match(session *speaker, heard element, line dialogueLine) error {
	p.t.Helper()
	var reason error
	for _, text := range append([]string{line.text}, line.or...) {
		pattern, err := parsePattern(text)
		p.must(err)
		err = pattern.match(heard, session.jid, session.account, p.bindings)
		if err == nil {
			return nil
		}
		if reason == nil {
			reason = err
		}
	}
	return reason
}

// quiet demands that nobody has heard anything that was not expected.
func (p *player) quiet() {
	p.t.Helper()
	p.settle()
	for _, session := range p.sessions {
		if len(session.heard) > 0 {
			p.fatalf("%s hears also\n%s", session.name, show(session.heard...))
		}
	}
}

// show writes elements for a person to read.
func show(elements ...element) string {
	var lines []string
	for _, e := range elements {
		b, err := xml.Marshal(e)
		if err != nil {
			b = fmt.Appendf(nil, "%v", e)
		}
		lines = append(lines, string(b))
	}
	return strings.Join(lines, "\n")
}
