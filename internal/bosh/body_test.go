package bosh_test

import (
	"testing"
	"time"

	"xtokend/internal/bosh"
)

func TestAppendBody(t *testing.T) {
	for _, c := range []struct {
		name  string
		reply bosh.Reply
		want  string
	}{
		{"empty", bosh.Reply{}, `<body xmlns='http://jabber.org/protocol/httpbind'/>`},
		{"payload", bosh.Reply{Payload: [][]byte{[]byte("<a/>"), []byte("<b/>")}},
			`<body xmlns='http://jabber.org/protocol/httpbind'><a/><b/></body>`},
		{"a prefix that the body must declare", bosh.Reply{Payload: [][]byte{[]byte("<a/>"), []byte("<stream:features/>")}},
			`<body xmlns='http://jabber.org/protocol/httpbind' xmlns:stream='http://etherx.jabber.org/streams'><a/><stream:features/></body>`},
		{"acknowledgement and report", bosh.Reply{Ack: 7, Report: 5, Time: 852 * time.Millisecond},
			`<body ack='7' report='5' time='852' xmlns='http://jabber.org/protocol/httpbind'/>`},
		{"a report's time within the schema", bosh.Reply{Report: 5, Time: time.Hour},
			`<body report='5' time='65535' xmlns='http://jabber.org/protocol/httpbind'/>`},
		{"a condition", bosh.Reply{Type: "terminate", Condition: bosh.ItemNotFound},
			`<body type='terminate' condition='item-not-found' xmlns='http://jabber.org/protocol/httpbind'/>`},
		{"creation", bosh.Reply{Ack: 7, Terms: &bosh.Terms{SID: "SID", Ver: bosh.Version{Major: 1, Minor: 6}, Wait: time.Minute, Hold: 1,
			Requests: 2, Polling: 5 * time.Second, Inactivity: 75 * time.Second, MaxPause: 2 * time.Minute}},
			`<body sid='SID' wait='60' requests='2' ver='1.6' polling='5' inactivity='75' hold='1' maxpause='120' ack='7' xmlns='http://jabber.org/protocol/httpbind'/>`},
		{"a stream's attributes", bosh.Reply{Opening: &bosh.Opening{From: "b'ücher.example", AuthID: "<&>"}},
			`<body from='b&#39;ücher.example' authid='&lt;&amp;&gt;' xmlns:xmpp='urn:xmpp:xbosh' xmpp:version='1.0' xmpp:restartlogic='true' xmlns='http://jabber.org/protocol/httpbind'/>`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := string(c.reply.AppendBody(nil)); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}
