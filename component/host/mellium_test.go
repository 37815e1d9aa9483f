package host_test

import (
	"context"
	"testing"

	"mellium.im/xmpp"
	"mellium.im/xmpp/jid"

	"xtokend/component/host"
)

// melliumSession is a session of mellium's client, which reads what the host says
// with code of its own.
func melliumSession(t testing.TB, h *host.Host, local string) (context.Context, *xmpp.Session) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	bare := jid.MustParse(local + "@" + domain)
	conn, err := h.Open(ctx, bare)
	if err != nil {
		t.Fatal(err)
	}
	s, err := xmpp.NewSession(ctx, bare.Domain(), bare, conn, xmpp.Secure|xmpp.Authn, xmpp.NewNegotiator(func(*xmpp.Session, *xmpp.StreamConfig) xmpp.StreamConfig {
		return xmpp.StreamConfig{Features: []xmpp.StreamFeature{xmpp.BindResource()}}
	}))
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		s.Serve(nil)
	}()
	t.Cleanup(func() {
		conn.Close()
		<-served
	})
	return ctx, s
}
