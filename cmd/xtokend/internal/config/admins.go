package config

import (
	"errors"
	"fmt"

	"mellium.im/xmpp/jid"

	"xtokend/auth"
)

// admins reads who may use the commands of the component link. Their names are
// prepared like those that log in: the server tells no others.
func (l *loader) admins(key string, v value[[]string]) []jid.JID {
	var admins []jid.JID
	first := make(map[string]int)
	for i, text := range get(l, key, v, nil) {
		entry := fmt.Sprintf("%s[%d]", key, i)
		admin, err := user(text)
		if err != nil {
			l.fault(entry, `write "ops@example.org", say`, "%q is not the address of a user: %v", text, err)
			continue
		}
		if earlier, twice := first[admin.String()]; twice {
			l.fault(entry, "", "%q is listed already, as %s[%d]", text, key, earlier)
			continue
		}
		first[admin.String()] = i
		admins = append(admins, admin)
	}
	return admins
}

// user reads the bare JID of a user.
func user(text string) (jid.JID, error) {
	localpart, domainpart, resourcepart, err := jid.SplitString(text)
	switch {
	case err != nil:
		return jid.JID{}, err
	case localpart == "":
		return jid.JID{}, errors.New("the name before the @ is missing")
	case resourcepart != "":
		return jid.JID{}, errors.New("it has a resource")
	}
	name, err := auth.PrepareName(localpart)
	if err != nil {
		return jid.JID{}, err
	}
	return jid.New(name.Localpart(), domainpart, "")
}
