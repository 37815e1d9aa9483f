package muc

// affiliation is a user's lasting standing in a room (XEP-0045 §5.2), in order
// of rank.
type affiliation int

const (
	affiliationOutcast affiliation = iota - 1
	affiliationNone
	affiliationMember
	affiliationAdmin
	affiliationOwner
)

var affiliations = map[string]affiliation{
	"outcast": affiliationOutcast, "none": affiliationNone, "member": affiliationMember,
	"admin": affiliationAdmin, "owner": affiliationOwner,
}

func (a affiliation) String() string { return nameOf(affiliations, a) }

// role is what an occupant may do as long as he is in the room (XEP-0045 §5.1),
// in order of rank.
type role int

const (
	roleNone role = iota
	roleVisitor
	roleParticipant
	roleModerator
)

var roles = map[string]role{
	"none": roleNone, "visitor": roleVisitor, "participant": roleParticipant, "moderator": roleModerator,
}

func (r role) String() string { return nameOf(roles, r) }

func nameOf[T comparable](names map[string]T, value T) string {
	for name, v := range names {
		if v == value {
			return name
		}
	}
	return ""
}

// defaultRole is the role of who comes into the room (XEP-0045 §5.1.2).
func (r *room) defaultRole(a affiliation) role {
	switch {
	case a >= affiliationAdmin:
		return roleModerator
	case a == affiliationMember:
		return roleParticipant
	case a == affiliationOutcast || r.config.membersOnly:
		return roleNone
	case r.config.moderated:
		return roleVisitor
	}
	return roleParticipant
}
