package muc

import (
	"strconv"

	"xtokend/component/host/form"
)

// config is what an owner may set (XEP-0045 §16.5.3). Its zero value, but for the
// length of history, is that of a new room: one that is found by its name alone,
// and gone with its last occupant.
type config struct {
	name, description string
	public            bool // listed by the service
	persistent        bool // stays when nobody is in it
	membersOnly       bool
	membersInvite     bool // not only admins, to a room for members only
	moderated         bool
	password          string // empty: none is needed
	nonAnonymous      bool
	changeSubject     bool // participants may
	historyLength     int  // messages
}

// defaultHistory is the history, in messages, of a room that is not configured.
const defaultHistory = 20

func defaultConfig(l Limits) config {
	return config{historyLength: min(defaultHistory, l.HistoryStanzas)}
}

// settings are what the form for owners has, in its order. The field for the length
// of history is Prosody's; the registered one, muc#maxhistoryfetch, is about what a
// client may fetch.
func settings(l Limits) []form.Setting[config] {
	password := form.Text("muc#roomconfig_roomsecret", "Password; none if empty", l.TextBytes,
		func(c *config) *string { return &c.password })
	password.Type = form.TextPrivate
	return []form.Setting[config]{
		form.Text("muc#roomconfig_roomname", "Name", l.TextBytes, func(c *config) *string { return &c.name }),
		form.Text("muc#roomconfig_roomdesc", "Description", l.TextBytes, func(c *config) *string { return &c.description }),
		form.Switch("muc#roomconfig_publicroom", "Listed among the rooms of this service",
			func(c *config) *bool { return &c.public }),
		form.Switch("muc#roomconfig_persistentroom", "Stays when everybody has left, until the server is restarted",
			func(c *config) *bool { return &c.persistent }),
		form.Switch("muc#roomconfig_membersonly", "For members only",
			func(c *config) *bool { return &c.membersOnly }),
		form.Switch("muc#roomconfig_allowinvites", "In a room for members only: members may invite others",
			func(c *config) *bool { return &c.membersInvite }),
		form.Switch("muc#roomconfig_moderatedroom", "Moderated: who is no member may not speak unless allowed to",
			func(c *config) *bool { return &c.moderated }),
		password,
		{
			Var: "muc#roomconfig_whois", Type: form.ListSingle, Label: "Who sees the addresses (JIDs) of occupants",
			Options: []string{"moderators", "anyone"},
			Get:     func(c *config) string { return whois[c.nonAnonymous] },
			Set: func(c *config, value string) bool {
				c.nonAnonymous = value == whois[true]
				return c.nonAnonymous || value == whois[false]
			},
		},
		form.Switch("muc#roomconfig_changesubject", "Everybody who may speak may change the subject",
			func(c *config) *bool { return &c.changeSubject }),
		{
			Var: "muc#roomconfig_historylength", Type: form.TextSingle, Label: "Messages that are kept for those who come later",
			Get: func(c *config) string { return strconv.Itoa(c.historyLength) },
			Set: func(c *config, value string) bool {
				n, err := strconv.ParseUint(value, 10, 31)
				c.historyLength = min(int(n), l.HistoryStanzas)
				return err == nil
			},
		},
	}
}

var whois = map[bool]string{false: "moderators", true: "anyone"}
