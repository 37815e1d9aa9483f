package muc

// Limits bounds what a service keeps. A field that is zero has the default of
// its comment.
type Limits struct {
	Rooms            int // that exist; 1000
	RoomsPerUser     int // that one user has created and that still exist; 20
	RoomsPerSession  int // that one session is in; 50
	Sessions         int // in one room; 200. A tenth of that is added for admins and owners
	Affiliations     int // that one room remembers; 1000
	AffiliationBytes int // of the addresses of these, so that a list of all passes a front; 65536
	HistoryStanzas   int // that one room keeps at most; 100
	HistoryBytes     int // of these; 262144
	MessageBytes     int // of a message to everybody; 65536
	PresenceBytes    int // of an occupant's presence; 4096
	NickBytes        int // of a nick; 128
	SubjectBytes     int // of a subject; 4096
	TextBytes        int // of a name, description or password of a room, of a reason, and of an id that is passed on; 1024
	Items            int // changes or invitations in one stanza; 50
	Listed           int // rooms in one answer of the service's list; 100
}

func (l Limits) withDefaults() Limits {
	for _, d := range []struct {
		field *int
		value int
	}{
		{&l.Rooms, 1000}, {&l.RoomsPerUser, 20}, {&l.RoomsPerSession, 50}, {&l.Sessions, 200}, {&l.Affiliations, 1000},
		{&l.AffiliationBytes, 65536},
		{&l.HistoryStanzas, 100}, {&l.HistoryBytes, 262144}, {&l.MessageBytes, 65536}, {&l.PresenceBytes, 4096}, {&l.NickBytes, 128},
		{&l.SubjectBytes, 4096}, {&l.TextBytes, 1024}, {&l.Items, 50}, {&l.Listed, 100},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	return l
}
