package main

import (
	"context"
	"net"
	"os/exec"
	"path/filepath"

	"xtokend/internal/installation"
)

// startFront starts xtokend before a server, or with its host if there is none.
func (l *lab) startFront(ctx context.Context, t *target, s subject, server *prosodyServer) error {
	i, again := l.fronts[s]
	if !again {
		var err error
		if i, err = l.newFront(s, server); err != nil {
			return err
		}
		l.fronts[s] = i
	}
	settings, err := i.WriteSettings()
	if err != nil {
		return err
	}
	p, err := startProcess("xtokend", filepath.Join(i.Dir, "log"), exec.Command(l.programs.xtokend, "serve", "--config", settings))
	if err != nil {
		return err
	}
	t.lead(p)
	t.client = l.tokens()
	t.addresses = map[string]string{
		"tcp": i.StartTLS, "starttls": i.StartTLS, "tls": i.DirectTLS,
		"ws": "ws://" + i.HTTP + "/xmpp-websocket", "bosh": "http://" + i.HTTP + "/http-bind",
	}
	return p.await(ctx, answersOK("http://"+i.Metrics+"/readyz"))
}

func (l *lab) newFront(s subject, server *prosodyServer) (*installation.Installation, error) {
	dir, err := l.file(s, "")
	if err != nil {
		return nil, err
	}
	host := net.ParseIP(loopbackHost())
	var i *installation.Installation
	if server != nil {
		i, err = installation.New(dir, server.Server, host)
	} else {
		i, err = installation.New(dir, nil, host)
	}
	if err != nil {
		return nil, err
	}
	i.Domain, i.OTPSeed, i.TokenSecret, i.AccountSecret = domain, l.otpSeed, l.tokenSecret, l.accountSecret
	if s == memorySubject {
		i.Replay = map[string]any{"store": "memory"}
	}
	return i, nil
}
