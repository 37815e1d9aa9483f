package host

import "time"

// Limits bounds what users may take up. A field that is zero has the default of
// its comment.
type Limits struct {
	ElementBytes  int           // of an element from a client; 262144
	ElementDepth  int           // of elements in elements; 64
	OutputBytes   int           // of an element to a client; 1048576
	QueueBytes    int           // that wait for a session to read or acknowledge them; 1048576
	Sessions      int           // of a user; 20
	RosterItems   int           // of a user; 1000
	RosterBytes   int           // of a roster as it is sent; 524288
	Blocked       int           // addresses that a user has blocked; 100
	Requests      int           // to subscribe to a user, that wait for an answer; 100
	Unanswered    int           // requests to a session, that wait for an answer; 200
	PresenceBytes int           // of a presence; 8192
	KeptMessages  int           // of a user, that nobody has acknowledged; 1000
	KeptBytes     int           // of these messages, less than QueueBytes lest they cannot be sent at once; 524288
	DirectedTo    int           // addresses that a session has sent presence to, rooms included; 200
	Nodes         int           // that a user publishes at; 200
	NodeItems     int           // of a node; 256
	ItemBytes     int           // of a vCard or of a published item; 131072
	NodeBytes     int           // of all that a user has published; 786432, so that an answer with all of it passes a front
	ResumeWithin  time.Duration // the loss of a connection (XEP-0198); 5 min
}

// mustBytes is how much may wait for a session that cannot do without it, and
// streamBytes for a connection, with what concerns the stream itself.
func (l *Limits) mustBytes() int   { return 2 * l.QueueBytes }
func (l *Limits) streamBytes() int { return 4 * l.QueueBytes }

func (l Limits) withDefaults() Limits {
	for _, d := range []struct {
		field *int
		value int
	}{
		{&l.ElementBytes, 262144}, {&l.ElementDepth, 64}, {&l.OutputBytes, 1 << 20}, {&l.QueueBytes, 1 << 20}, {&l.Sessions, 20}, {&l.RosterItems, 1000},
		{&l.RosterBytes, 1 << 19}, {&l.Blocked, 100}, {&l.Requests, 100}, {&l.Unanswered, 200}, {&l.PresenceBytes, 8192},
		{&l.KeptMessages, 1000}, {&l.KeptBytes, 1 << 19}, {&l.DirectedTo, 200}, {&l.Nodes, 200}, {&l.NodeItems, 256}, {&l.ItemBytes, 131072},
		{&l.NodeBytes, 768 << 10},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if l.ResumeWithin == 0 {
		l.ResumeWithin = 5 * time.Minute
	}
	return l
}
