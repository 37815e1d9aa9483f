package host

import "xtokend/component/host/wire"

const nsPing = "urn:xmpp:ping"

// ping answers XEP-0199, for the server and for an account.
func ping(*turn, *wire.Stanza, *user) ([]byte, error) { return nil, nil }
