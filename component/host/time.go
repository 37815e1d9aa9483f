package host

import (
	"mellium.im/xmpp/xtime"

	"xtokend/component/host/wire"
)

// entityTime answers XEP-0202, in UTC.
func entityTime(t *turn, _ *wire.Stanza, _ *user) ([]byte, error) {
	return wire.Marshal(xtime.Time{Time: t.now().UTC()}), nil
}
