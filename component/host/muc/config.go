package muc

import (
	"slices"
	"strconv"
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

// setting is a field of the form for owners. set reports false for a value that
// may not be.
type setting struct {
	variable, kind, label string
	options               []string
	get                   func(*config) string
	set                   func(*config, string, Limits) bool
}

// settings are in the order of the form. The field for the length of history is
// Prosody's; the registered one, muc#maxhistoryfetch, is about what a client may
// fetch.
var settings = []setting{
	text("muc#roomconfig_roomname", "text-single", "Name", func(c *config) *string { return &c.name }),
	text("muc#roomconfig_roomdesc", "text-single", "Description", func(c *config) *string { return &c.description }),
	boolean("muc#roomconfig_publicroom", "Listed among the rooms of this service",
		func(c *config) *bool { return &c.public }),
	boolean("muc#roomconfig_persistentroom", "Stays when everybody has left, until the server is restarted",
		func(c *config) *bool { return &c.persistent }),
	boolean("muc#roomconfig_membersonly", "For members only",
		func(c *config) *bool { return &c.membersOnly }),
	boolean("muc#roomconfig_allowinvites", "In a room for members only: members may invite others",
		func(c *config) *bool { return &c.membersInvite }),
	boolean("muc#roomconfig_moderatedroom", "Moderated: who is no member may not speak unless allowed to",
		func(c *config) *bool { return &c.moderated }),
	text("muc#roomconfig_roomsecret", "text-private", "Password; none if empty",
		func(c *config) *string { return &c.password }),
	{
		variable: "muc#roomconfig_whois", kind: "list-single", label: "Who sees the addresses (JIDs) of occupants",
		options: []string{"moderators", "anyone"},
		get:     func(c *config) string { return whois[c.nonAnonymous] },
		set: func(c *config, value string, _ Limits) bool {
			c.nonAnonymous = value == whois[true]
			return c.nonAnonymous || value == whois[false]
		},
	},
	boolean("muc#roomconfig_changesubject", "Everybody who may speak may change the subject",
		func(c *config) *bool { return &c.changeSubject }),
	{
		variable: "muc#roomconfig_historylength", kind: "text-single", label: "Messages that are kept for those who come later",
		get: func(c *config) string { return strconv.Itoa(c.historyLength) },
		set: func(c *config, value string, l Limits) bool {
			n, err := strconv.ParseUint(value, 10, 31)
			c.historyLength = min(int(n), l.HistoryStanzas)
			return err == nil
		},
	},
}

var whois = map[bool]string{false: "moderators", true: "anyone"}

func text(variable, kind, label string, at func(*config) *string) setting {
	return setting{
		variable: variable, kind: kind, label: label,
		get: func(c *config) string { return *at(c) },
		set: func(c *config, value string, l Limits) bool {
			*at(c) = value
			return len(value) <= l.TextBytes
		},
	}
}

func boolean(variable, label string, at func(*config) *bool) setting {
	return setting{
		variable: variable, kind: "boolean", label: label,
		get: func(c *config) string { return bit(*at(c)) },
		set: func(c *config, value string, _ Limits) bool { // XEP-0004 §3.3
			*at(c) = value == "1" || value == "true"
			return *at(c) || value == "0" || value == "false"
		},
	}
}

func bit(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

func settingOf(variable string) (setting, bool) {
	i := slices.IndexFunc(settings, func(s setting) bool { return s.variable == variable })
	if i < 0 {
		return setting{}, false
	}
	return settings[i], true
}
