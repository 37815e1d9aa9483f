package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"

	"xtokend/cmd/xtokend/internal/config"
)

// run serves until a signal comes, or until the command ends. It calls stopping
// when it begins to shut down.
func (d *demonstration) run(p *process, signals <-chan os.Signal, stopping func()) (err error) {
	listeners, err := d.open()
	if err != nil {
		return err
	}
	parts, err := d.build()
	if err != nil {
		for _, l := range listeners {
			l.Close()
		}
		return err
	}
	defer func() { err = errors.Join(err, parts.close()) }()

	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	ended := make(chan error, 1)
	ready := func() {
		go func() {
			defer stop()
			ended <- d.attend(ctx, p, signals)
		}()
	}
	err = parts.run(ctx, newListening(parts, listeners, nil), occasions{ready: ready, stopping: stopping})
	stop()
	return errors.Join(<-ended, err)
}

// open opens all listeners, or none. From then on the addresses have their ports.
func (d *demonstration) open() (listeners []*listener, err error) {
	add := func(a *loopbackAddress, scheme config.Scheme) {
		var opened []net.Listener
		if err != nil {
			return
		}
		*a, opened, err = a.open()
		for _, l := range opened {
			listeners = append(listeners, &listener{Listener: l, settings: config.Listener{Scheme: scheme, Loopback: true}})
		}
	}
	add(&d.http, config.HTTP)
	if d.xmpp != nil {
		add(d.xmpp, config.XMPP)
	}
	if err != nil {
		for _, l := range listeners {
			l.Close()
		}
	}
	return listeners, err
}

// attend returns when the demonstration shall end: after a signal or after the
// command, with a failure of its exit status; and in any case when ctx ends.
func (d *demonstration) attend(ctx context.Context, p *process, signals <-chan os.Signal) error {
	if len(d.command) > 0 {
		return d.runCommand(ctx, signals)
	}
	d.introduce(p)
	select {
	case <-signals:
	case <-ctx.Done():
	}
	return nil
}

// introduce says where the demonstration is. The first line is for programs that
// wait for it.
func (d *demonstration) introduce(p *process) {
	e := d.endpoints()
	fmt.Fprintf(p.stdout, "%s\n\n", e.url)
	if d.converse != nil {
		fmt.Fprintf(p.stdout, "Open this address in a browser, type a name, and chat.\n\n")
	}
	fmt.Fprintf(p.stdout, "  WebSocket    %s\n  BOSH         %s\n", e.webSocket, e.bosh)
	if e.xmpp != "" {
		fmt.Fprintf(p.stdout, "  TCP          %s\n", e.xmpp)
	}
	fmt.Fprintf(p.stdout, "  credentials  %s/credentials?name=alice\n", e.url)
	fmt.Fprintf(p.stdout, "  domain       %s, with rooms at %s\n\n", d.domain.Name, d.domain.Host.Rooms)
	fmt.Fprintf(p.stdout, "Anybody on this machine may log in as anybody. Nothing is kept. Ctrl-C ends it.\n")
	p.flush()
}

// endpoints are the addresses of a demonstration.
type endpoints struct {
	url, webSocket, bosh string
	xmpp                 string // "": none
}

func (d *demonstration) endpoints() endpoints {
	e := endpoints{
		url:       "http://" + d.http.String(),
		webSocket: "ws://" + d.http.String() + "/xmpp-websocket",
		bosh:      "http://" + d.http.String() + "/http-bind",
	}
	if d.xmpp != nil {
		e.xmpp = "xmpp://" + d.xmpp.String()
	}
	return e
}
