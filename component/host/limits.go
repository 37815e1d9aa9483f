package host

import "time"

// Limits bounds what users may take up. A field that is zero has the default of
// its comment.
type Limits struct {
	ElementBytes int           // of an element from a client; 262144
	ElementDepth int           // of elements in elements; 64
	QueueBytes   int           // that wait for a session to read or acknowledge them; 1048576
	Sessions     int           // of a user; 20
	RosterItems  int           // of a user, and requests to subscribe to a user; 1000
	Blocked      int           // addresses that a user has blocked; 100
	KeptMessages int           // of a user, that nobody has acknowledged; 1000
	KeptBytes    int           // of these messages; 1048576
	DirectedTo   int           // addresses that a session has sent presence to, rooms included; 200
	Nodes        int           // that a user publishes at; 200
	NodeItems    int           // of a node; 256
	ItemBytes    int           // of a vCard or of a published item; 131072
	NodeBytes    int           // of all that a user has published; 786432, so that an answer with all of it passes a front
	ResumeWithin time.Duration // the loss of a connection (XEP-0198); 5 min
}

func (l Limits) withDefaults() Limits {
	for _, d := range []struct {
		field *int
		value int
	}{
		{&l.ElementBytes, 262144}, {&l.ElementDepth, 64}, {&l.QueueBytes, 1 << 20}, {&l.Sessions, 20}, {&l.RosterItems, 1000},
		{&l.Blocked, 100},
		{&l.KeptMessages, 1000}, {&l.KeptBytes, 1 << 20}, {&l.DirectedTo, 200}, {&l.Nodes, 200}, {&l.NodeItems, 256}, {&l.ItemBytes, 131072},
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
