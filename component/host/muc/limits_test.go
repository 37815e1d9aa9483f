package muc_test

import (
	"fmt"
	"strings"
	"testing"

	"xtokend/component/host/muc"
)

const join = "<presence to='%s@rooms.example.org/%s'><x xmlns='http://jabber.org/protocol/muc'/></presence>"

// in makes room and lets people in, who are not alice.
func (r *rig) in(room string, people ...string) {
	r.t.Helper()
	r.say("alice@example.org/desk", fmt.Sprintf(join, room, "al"))
	r.say("alice@example.org/desk", strings.ReplaceAll(macros.Replace("{instant}"), "'R'", "'"+room+"@rooms.example.org'"))
	for _, p := range people {
		r.say(p+"@example.org/desk", fmt.Sprintf(join, room, p))
	}
	r.take()
}

// last is the last thing that anybody got.
func (r *rig) last() string {
	lines := r.take()
	if len(lines) == 0 {
		return ""
	}
	return lines[len(lines)-1]
}

// TestLimits reaches each bound, and then exceeds it.
func TestLimits(t *testing.T) {
	item := func(nick string) string { return "<item jid='" + nick + "@example.org' affiliation='member'/>" }
	admin := func(items ...string) string {
		return macros.Replace("<iq type='set' id='1' to='room@rooms.example.org'><query {admin}>" + strings.Join(items, "") + "</query></iq>")
	}
	set := func(variable, value string) string {
		return macros.Replace("<iq type='set' id='1' to='room@rooms.example.org'>{form}<field var='muc#roomconfig_" + variable +
			"'><value>" + value + "</value></field>{/form}</iq>")
	}
	invite := func(to ...string) string {
		var all string
		for _, user := range to {
			all += "<invite to='" + user + "@example.org'/>"
		}
		return macros.Replace("<message id='1' to='room@rooms.example.org'><x {user}>" + all + "</x></message>")
	}
	change := func(attributes, reason string) string {
		return admin("<item " + attributes + "><reason>" + reason + "</reason></item>")
	}
	reasoned := func(what, reason string) string {
		return macros.Replace("<message id='1' to='room@rooms.example.org'><x {user}><" + what + " to='carol@example.org'><reason>" + reason +
			"</reason></" + what + "></x></message>")
	}
	identified := func(unit, id string) string { return strings.Replace(unit, "id='1'", "id='"+id+"'", 1) }
	version := "<iq type='get' id='1' to='room@rooms.example.org/al'><query xmlns='jabber:iq:version'/></iq>"
	forMembers := set("membersonly", "1") + "\n"
	for _, tc := range []struct {
		name        string
		limits      muc.Limits
		from        string
		at, beyond  string // stanzas
		good, error string // part of the last thing that anybody is told
	}{
		{"rooms", muc.Limits{Rooms: 2}, "bob", fmt.Sprintf(join, "b", "bob"), fmt.Sprintf(join, "c", "bob"), "subject", "wait/resource-constraint"},
		{"rooms of a user", muc.Limits{RoomsPerUser: 1}, "bob", fmt.Sprintf(join, "b", "bob"), fmt.Sprintf(join, "c", "bob"), "subject", "cancel/not-allowed"},
		{"rooms of a session", muc.Limits{RoomsPerSession: 1}, "bob", fmt.Sprintf(join, "room", "bob"), fmt.Sprintf(join, "b", "bob"), "subject", "wait/resource-constraint"},
		{"a message", muc.Limits{MessageBytes: len("<message type='groupchat'><body>12345</body></message>")}, "alice",
			"<message type='groupchat' to='room@rooms.example.org'><body>12345</body></message>",
			"<message type='groupchat' to='room@rooms.example.org'><body>123456</body></message>", "12345", "modify/policy-violation"},
		{"affiliations", muc.Limits{Affiliations: 2}, "alice", admin(item("bob")), admin(item("carol")), "result", "wait/resource-constraint"},
		{"bytes of affiliations", muc.Limits{AffiliationBytes: len("alice@example.orgcarol@example.org")}, "alice",
			admin(item("carol")), admin(item("b")), "result", "wait/resource-constraint"},
		{"bytes of affiliations, by invitation", muc.Limits{AffiliationBytes: len("alice@example.orgcarol@example.org")}, "alice",
			forMembers + invite("carol"), invite("b"), "invite", "wait/resource-constraint"},
		{"reason of a change of role", muc.Limits{TextBytes: 5}, "alice", change("nick='al' role='moderator'", "12345"),
			change("nick='al' role='moderator'", "123456"), "result", "modify/not-acceptable"},
		{"reason of a change of affiliation", muc.Limits{TextBytes: 5}, "alice", change("jid='bob@example.org' affiliation='outcast'", "12345"),
			change("jid='bob@example.org' affiliation='outcast'", "123456"), "result", "modify/not-acceptable"},
		{"reason of an invitation", muc.Limits{TextBytes: 5}, "alice", reasoned("invite", "12345"), reasoned("invite", "123456"), "reason(12345)", "modify/not-acceptable"},
		{"id of an invitation", muc.Limits{TextBytes: 5}, "alice", identified(invite("bob"), "12345"), identified(invite("bob"), "123456"), "id=12345", "modify/not-acceptable"},
		{"reason of a refusal", muc.Limits{TextBytes: 5}, "bob", reasoned("decline", "12345"), reasoned("decline", "123456"), "reason(12345)", "modify/not-acceptable"},
		{"id of a refusal", muc.Limits{TextBytes: 5}, "bob", identified(reasoned("decline", ""), "12345"), identified(reasoned("decline", ""), "123456"),
			"id=12345", "modify/not-acceptable"},
		{"id of a request", muc.Limits{TextBytes: 5}, "alice", identified(version, "12345"), identified(version, "123456"), "get id=", "modify/not-acceptable"},
		{"items", muc.Limits{Items: 2}, "alice", admin(item("x"), item("y")), admin(item("x"), item("y"), item("z")), "result", "modify/policy-violation"},
		{"invitations", muc.Limits{Items: 2}, "alice", invite("x", "y"), invite("x", "y", "z"), "invite", "modify/policy-violation"},
		{"nick", muc.Limits{NickBytes: 5}, "bob", fmt.Sprintf(join, "room", "éabc"), fmt.Sprintf(join, "room", "éabcd"), "subject", "modify/policy-violation"},
		{"new nick", muc.Limits{NickBytes: 5}, "alice", "<presence to='room@rooms.example.org/12345'/>", "<presence to='room@rooms.example.org/123456'/>", "presence", "modify/policy-violation"},
		{"presence", muc.Limits{PresenceBytes: 40}, "bob",
			"<presence to='room@rooms.example.org/bob'><x xmlns='http://jabber.org/protocol/muc'/><a>123456789012</a></presence>",
			"<presence to='room@rooms.example.org/bob'><x xmlns='http://jabber.org/protocol/muc'/><a>1234567890123</a></presence>", "subject", "modify/policy-violation"},
		{"status", muc.Limits{PresenceBytes: 40}, "alice", "<presence to='room@rooms.example.org/al'><a>123456789012</a></presence>",
			"<presence to='room@rooms.example.org/al'><a>1234567890123</a></presence>", "presence", "modify/policy-violation"},
		{"subject", muc.Limits{SubjectBytes: 5}, "alice", "<message type='groupchat' to='room@rooms.example.org'><subject>12345</subject></message>",
			"<message type='groupchat' to='room@rooms.example.org'><subject>123456</subject></message>", "subject(12345)", "modify/policy-violation"},
		{"name", muc.Limits{TextBytes: 5}, "alice", set("roomname", "12345"), set("roomname", "123456"), "104", "modify/not-acceptable"},
		{"password", muc.Limits{TextBytes: 5}, "alice", set("roomsecret", "12345"), set("roomsecret", "123456"), "104", "modify/not-acceptable"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t, tc.limits)
			r.in("room")
			from := tc.from + "@example.org/desk"
			for _, unit := range strings.Split(tc.at, "\n") {
				r.say(from, unit)
			}
			if got := r.last(); !strings.Contains(got, tc.good) {
				t.Errorf("at the limit: %s", got)
			}
			r.say(from, tc.beyond)
			if got := r.last(); !strings.Contains(got, tc.error) {
				t.Errorf("beyond the limit: %s", got)
			}
		})
	}
}

// TestDestroyIsBounded: a farewell that is too long is refused, and the room stays.
func TestDestroyIsBounded(t *testing.T) {
	for _, tc := range []struct{ name, reason, password, want string }{
		{"reason", "123456", "12345", "modify/not-acceptable"},
		{"password", "12345", "123456", "modify/not-acceptable"},
		{"neither", "12345", "12345", "result"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t, muc.Limits{TextBytes: 5})
			r.in("room")
			r.say("alice@example.org/desk", macros.Replace("<iq type='set' id='1' to='room@rooms.example.org'><query {owner}><destroy>"+
				"<reason>"+tc.reason+"</reason><password>"+tc.password+"</password></destroy></query></iq>"))
			if got := r.take(); !strings.Contains(got[len(got)-1], tc.want) || (len(got) == 1) != (tc.want != "result") {
				t.Errorf("got %v", got)
			}
		})
	}
}

// TestFullRoom: a few places are for those who run the room.
func TestFullRoom(t *testing.T) {
	r := newRig(t, muc.Limits{Sessions: 10})
	r.in("room", "b", "c", "d", "e", "f", "g", "h", "i", "j")
	r.say("k@example.org/desk", fmt.Sprintf(join, "room", "k"))
	if got := r.last(); !strings.Contains(got, "wait/service-unavailable") {
		t.Errorf("the eleventh: %s", got)
	}
	r.say("alice@example.org/phone", fmt.Sprintf(join, "room", "al"))
	if got := strings.Join(r.take(), "\n"); !strings.Contains(got, "alice/phone< presence room/al owner moderator jid=alice/phone 110") {
		t.Errorf("the owner: %s", got)
	}
	r.say("alice@example.org/tablet", fmt.Sprintf(join, "room", "al"))
	if got := r.last(); !strings.Contains(got, "wait/service-unavailable") {
		t.Errorf("the owner again: %s", got)
	}
}

// TestRoomsAreGivenBack: what a room or a session counted for is free when it has
// ended, however it did.
func TestRoomsAreGivenBack(t *testing.T) {
	r := newRig(t, muc.Limits{Rooms: 1, RoomsPerUser: 1, RoomsPerSession: 1})
	for _, end := range []string{
		"<presence type='unavailable' to='R/al'/>",
		"<presence type='error' to='R/al'/>",
		"<iq type='set' id='1' to='R'><query {owner}><destroy/></query></iq>",
		"<iq type='set' id='1' to='R'><query {admin}><item nick='al' role='none'/></query></iq>",
	} {
		for _, room := range []string{"one", "two"} {
			r.in(room)
			r.say("alice@example.org/desk", strings.ReplaceAll(macros.Replace(end), "'R", "'"+room+"@rooms.example.org"))
			if got := strings.Join(r.take(), "\n"); !strings.Contains(got, "unavailable") {
				t.Errorf("%s was not the end: %s", end, got)
			}
		}
	}
}

func TestHistoryIsBounded(t *testing.T) {
	long := "<message type='groupchat' to='room@rooms.example.org'><body>" + strings.Repeat("x", 1000) + "</body></message>"
	short := "<message type='groupchat' to='room@rooms.example.org'><body>x</body></message>"
	for _, tc := range []struct {
		name   string
		limits muc.Limits
		say    string
		want   int // messages that are kept of ten
	}{
		{"by number", muc.Limits{HistoryStanzas: 3}, short, 3},
		{"by bytes", muc.Limits{HistoryBytes: 3000}, long, 2},
		{"one is too long", muc.Limits{HistoryBytes: 1000}, long, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t, tc.limits)
			r.in("room")
			for range 10 {
				r.say("alice@example.org/desk", tc.say)
			}
			r.take()
			r.say("bob@example.org/desk", fmt.Sprintf(join, "room", "bob"))
			if got := strings.Count(strings.Join(r.take(), "\n"), "body("); got != tc.want {
				t.Errorf("%d messages, want %d", got, tc.want)
			}
		})
	}
}

// TestLongFarewell: who says too much at leaving leaves in silence.
func TestLongFarewell(t *testing.T) {
	r := newRig(t, muc.Limits{PresenceBytes: 40})
	r.in("room", "bob")
	r.say("bob@example.org/desk", "<presence type='unavailable' to='room@rooms.example.org/bob'><status>far too long</status></presence>")
	want := "alice/desk< presence room/bob unavailable none none jid=bob/desk"
	if got := r.take(); got[0] != want {
		t.Errorf("got %s, want %s", got[0], want)
	}
}
