package muc

import (
	"cmp"
	"encoding/xml"
	"maps"
	"slices"
	"strconv"

	"mellium.im/xmpp/stanza"

	"xtokend/component/host/disco"
	"xtokend/component/host/form"
	"xtokend/component/host/wire"
)

// discover answers for the service (XEP-0045 §6.2, §6.3).
func (s *Service) discover(st *wire.Stanza) ([]byte, *stanza.Error) {
	q := st.Payload()
	get := st.Type == string(stanza.GetIQ) && st.To.Resourcepart() == "" && q.AttrValue("node") == ""
	switch {
	case get && q.Name == (xml.Name{Space: disco.NSInfo, Local: "query"}):
		return wire.Marshal(&disco.Info{
			Identities: []disco.Identity{{Category: "conference", Type: "text", Name: "Rooms"}},
			Features:   disco.Features(disco.NSInfo, disco.NSItems, nsMUC, nsStableID, nsSelfPing, nsOccupantID, nsPing, nsResultSet),
		}), nil
	case get && q.Name == (xml.Name{Space: disco.NSItems, Local: "query"}):
		return s.listRooms(st)
	case get && q.Name == (xml.Name{Space: nsPing, Local: "ping"}):
		return nil, nil
	}
	return nil, fail(stanza.ServiceUnavailable, "")
}

// listRooms answers with the public rooms, or with a part of them: a list of all
// could be longer than an element may be (XEP-0059 §2).
func (s *Service) listRooms(st *wire.Stanza) ([]byte, *stanza.Error) {
	public := slices.Collect(maps.Values(s.rooms))
	public = slices.DeleteFunc(public, func(r *room) bool { return !r.config.public })
	slices.SortFunc(public, func(a, b *room) int { return cmp.Compare(a.jid.String(), b.jid.String()) })
	limit, begin := s.limits.Listed, 0
	wants, asked := st.Payload().Child(nsResultSet, "set")
	if most, ok := wants.Child(nsResultSet, "max"); ok {
		n, err := strconv.ParseUint(most.Text, 10, 31)
		if err != nil {
			return nil, fail(stanza.BadRequest, "")
		}
		limit = min(limit, int(n))
	}
	if after, ok := wants.Child(nsResultSet, "after"); ok {
		for begin < len(public) && public[begin].jid.String() <= after.Text {
			begin++
		}
	}
	page := public[begin:]
	page = page[:min(limit, len(page))]
	var q disco.Items
	for _, r := range page {
		q.Items = append(q.Items, disco.Item{JID: r.jid.String(), Name: r.config.name})
	}
	if asked || len(page) < len(public) {
		q.Set = &disco.Set{Count: len(public)}
		if n := len(q.Items); n > 0 {
			q.Set.First = &disco.First{Index: begin, Item: q.Items[0].JID}
			q.Set.Last = q.Items[n-1].JID
		}
	}
	return wire.Marshal(&q), nil
}

// request handles an IQ to a room.
func (r *room) request(st *wire.Stanza) {
	q := st.Payload()
	get := st.Type == string(stanza.GetIQ)
	switch {
	case q.Name == (xml.Name{Space: nsAdmin, Local: "query"}):
		r.admin(st)
	case q.Name == (xml.Name{Space: nsOwner, Local: "query"}):
		r.owner(st)
	case get && q.Name == (xml.Name{Space: disco.NSInfo, Local: "query"}):
		r.service.answer(st, r.info)
	case get && q.Name == (xml.Name{Space: disco.NSItems, Local: "query"}):
		r.service.answer(st, func(*wire.Stanza) ([]byte, *stanza.Error) {
			return wire.Marshal(&disco.Items{}), nil // who is in a room is for those in it (XEP-0045 §6.5)
		})
	default:
		r.service.refuse(st, wire.Fail(stanza.ServiceUnavailable))
	}
}

// nodeReservedNick is where a client asks for the nick that it has reserved
// (XEP-0045 §7.12). There is none.
const nodeReservedNick = "x-roomuser-item"

// info answers with what kind of room this is (XEP-0045 §6.4).
func (r *room) info(st *wire.Stanza) ([]byte, *stanza.Error) {
	switch node := st.Payload().AttrValue("node"); node {
	case "":
	case nodeReservedNick:
		return wire.Marshal(&disco.Info{Node: node}), nil
	default:
		return nil, fail(stanza.ItemNotFound, "")
	}
	c := r.config
	q := disco.Info{
		Identities: []disco.Identity{{Category: "conference", Type: "text", Name: c.name}},
		Features:   disco.Features(disco.NSInfo, disco.NSItems, nsMUC, nsStableID, nsSelfPing, nsOccupantID, nsStanzaID),
	}
	for _, f := range []struct {
		is      bool
		yes, no string
	}{
		{c.password != "", "muc_passwordprotected", "muc_unsecured"},
		{c.public, "muc_public", "muc_hidden"},
		{c.persistent, "muc_persistent", "muc_temporary"},
		{c.membersOnly, "muc_membersonly", "muc_open"},
		{c.moderated, "muc_moderated", "muc_unmoderated"},
		{c.nonAnonymous, "muc_nonanonymous", "muc_semianonymous"},
	} {
		name := f.no
		if f.is {
			name = f.yes
		}
		q.Features = append(q.Features, disco.Feature{Var: name})
	}
	result := func(variable, kind, label, value string) form.Field {
		return form.Field{Var: variable, Type: kind, Label: label, Values: []string{value}}
	}
	q.Form = &form.Form{Type: form.Result, Fields: []form.Field{
		form.TypeField(nsRoomInfo),
		result("muc#roominfo_description", form.TextSingle, "Description", c.description),
		result("muc#roominfo_occupants", form.TextSingle, "Occupants", strconv.Itoa(len(r.occupants))),
		result("muc#roomconfig_roomname", form.TextSingle, "Name", c.name),
		result("muc#roomconfig_changesubject", form.Boolean, "Everybody may change the subject", form.Bit(c.changeSubject)),
		result("muc#roomconfig_allowinvites", form.Boolean, "Occupants may invite others", form.Bit(!c.membersOnly || c.membersInvite)),
	}}
	return wire.Marshal(&q), nil
}
