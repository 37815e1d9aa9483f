package muc

import (
	"encoding/xml"
	"slices"

	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"

	"xtokend/component/host/form"
	"xtokend/component/host/wire"
	"xtokend/internal/element"
)

type ownerQuery struct {
	XMLName xml.Name `xml:"http://jabber.org/protocol/muc#owner query"`
	Form    *form.Form
}

// owner handles what owners ask of a room (XEP-0045 §10).
func (r *room) owner(st *wire.Stanza) {
	was := r.config
	r.service.answer(st, func(st *wire.Stanza) ([]byte, *stanza.Error) {
		if r.affiliation(st.From) != affiliationOwner {
			return nil, fail(stanza.Forbidden, "Only owners may do this.")
		}
		if st.Type == string(stanza.GetIQ) {
			return wire.Marshal(&ownerQuery{Form: r.configForm()}), nil
		}
		query := st.Payload()
		if destroy, ok := query.Child(nsOwner, "destroy"); ok {
			return nil, r.destroyFor(destroy)
		}
		x, ok := query.Child(form.NS, "x")
		switch {
		case ok && x.AttrValue("type") == form.Cancelled:
			if r.locked {
				r.destroy(venue{}) // XEP-0045 §10.1.3
			}
			return nil, nil
		case ok && x.AttrValue("type") == form.Submitted:
			return nil, r.configure(x)
		}
		return nil, fail(stanza.BadRequest, "A form that is submitted or cancelled is needed.")
	})
	r.tellConfigured(was)
}

func (r *room) configForm() *form.Form {
	f := &form.Form{Type: form.ToFill, Title: "Configuration of " + r.jid.String(), Fields: []form.Field{form.TypeField(nsRoomConfig)}}
	for _, s := range settings(r.service.limits) {
		f.Fields = append(f.Fields, s.Field(&r.config))
	}
	return f
}

// configure sets what a form says, all of it or nothing. An empty form takes the
// room as it is (XEP-0045 §10.1.2). Fields that the form does not have keep their
// values, and those that the room does not know are ignored.
func (r *room) configure(x element.Element) *stanza.Error {
	kind, values, ok := form.Values(x)
	if !ok || kind != nsRoomConfig && (kind != "" || len(values) > 0) {
		return fail(stanza.BadRequest, "This is not the form of a room.")
	}
	was, c := r.config, r.config
	for _, s := range settings(r.service.limits) {
		if value, ok := values[s.Var]; ok && !s.Set(&c, value) {
			return fail(stanza.NotAcceptable, "This value is not possible: "+s.Label)
		}
	}
	r.config, r.locked = c, false
	r.trimHistory()
	if c.membersOnly && !was.membersOnly {
		r.expelNonMembers()
	}
	r.closeIfDone()
	return nil
}

// expelNonMembers is for a room that has become one for members only (XEP-0045
// §10.2).
func (r *room) expelNonMembers() {
	for _, o := range slices.Clone(r.occupants) {
		if r.affiliation(o.user) < affiliationMember {
			r.expel(o, news{codes: []int{statusMembersOnly}})
		}
	}
}

// tellConfigured tells everybody what kind of change there was (XEP-0045
// §10.2.1).
func (r *room) tellConfigured(was config) {
	var codes []int
	if was.nonAnonymous != r.config.nonAnonymous {
		codes = append(codes, statusNowSemi)
		if r.config.nonAnonymous {
			codes[0] = statusNowOpen
		}
	}
	if was.nonAnonymous = r.config.nonAnonymous; was != r.config {
		codes = append(codes, statusConfigured)
	}
	if len(codes) > 0 {
		x := wire.Marshal(&userX{Statuses: statuses(codes...)})
		r.broadcast(r.jid, wire.FromMessage(stanza.Message{Type: stanza.GroupChatMessage}, x))
	}
}

// destroyFor destroys the room at an owner's wish (XEP-0045 §10.9).
func (r *room) destroyFor(e element.Element) *stanza.Error {
	v := venue{JID: e.AttrValue("jid")}
	if v.JID != "" {
		j, err := jid.Parse(v.JID)
		if err != nil {
			return fail(stanza.JIDMalformed, "The address of the other room is none.")
		}
		v.JID = j.String()
	}
	reason, _ := e.Child(nsOwner, "reason")
	password, _ := e.Child(nsOwner, "password")
	v.Reason, v.Password = reason.Text, password.Text
	if fault := r.service.tooLong(v.Reason, v.Password); fault != nil {
		return fault
	}
	r.destroy(v)
	return nil
}

// destroy tells each occupant of his own leaving alone.
func (r *room) destroy(v venue) {
	clear(r.affiliations)
	for len(r.occupants) > 0 {
		o := r.occupants[0]
		n := o.current()
		n.presence, n.destroy = unavailable(), &v
		r.tellSelf(o, r.removeAll(o), n)
	}
	r.close()
}
