package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"xtokend/internal/installation"
	"xtokend/internal/stockserver"
	"xtokend/internal/testcert"
)

const domain = "example.org"

// subject is what a work is done with. Its value is its name in tables.
type subject string

const (
	hostSubject    subject = "xtokend, host"
	memorySubject  subject = "xtokend, host, memory store"
	frontSubject   subject = "xtokend, Prosody"
	directSubject  subject = "Prosody, SCRAM"
	plainSubject   subject = "Prosody, PLAIN"
	modulesSubject subject = "Prosody, mod_auth_token"
	stockSubject   subject = "Prosody, mod_auth_token, not tuned"
	haproxySubject subject = "HAProxy, Prosody, SCRAM"
	floorSubject   subject = "floor"
)

// target is a subject that runs. Its first process is the one that is compared.
type target struct {
	pids      []int
	addresses map[string]string // by transport, as the load generator takes them
	client    []string          // flags of the load generator
	ends      []func()
}

// stop ends all processes, the last one first.
func (t *target) stop() {
	for _, end := range slices.Backward(t.ends) {
		end()
	}
}

// lead puts a process before those that are there.
func (t *target) lead(p *process) {
	t.pids = slices.Insert(t.pids, 0, p.pid())
	t.ends = append(t.ends, p.stop)
}

// lab has what targets are made of. Each run has fresh processes, on the same files.
type lab struct {
	dir           string
	programs      programs
	certificate   string // PEM files
	key           string
	pair          string // both in one
	accountSecret string
	otpSeed       string
	tokenSecret   string
	modules       string // folder; empty: none
	users         int    // so many have accounts

	servers map[subject]*prosodyServer
	fronts  map[subject]*installation.Installation
}

func newLab(dir string, p programs, modules string, users int) (*lab, error) {
	if modules != "" {
		var err error
		if modules, err = filepath.Abs(modules); err != nil {
			return nil, err
		}
	}
	l := &lab{
		dir: dir, programs: p, modules: modules, users: users,
		certificate:   filepath.Join(dir, "certificate.pem"),
		key:           filepath.Join(dir, "key.pem"),
		pair:          filepath.Join(dir, "pair.pem"),
		accountSecret: rand.Text() + rand.Text(),
		otpSeed:       "XVGR73KMZH2M4XMY",
		tokenSecret:   "JYXEX4IQOEYFYQ2S3MC5P4ZT4SDHYEA7",
		servers:       make(map[subject]*prosodyServer),
		fronts:        make(map[subject]*installation.Installation),
	}
	made, err := testcert.New(testcert.Spec{Serial: 2, Names: []string{domain}})
	if err != nil {
		return nil, err
	}
	if err := made.Write(l.certificate, l.key, ""); err != nil {
		return nil, err
	}
	return l, os.WriteFile(l.pair, slices.Concat(made.Certificate, made.Key), 0o600)
}

// start starts a subject with all that it needs.
func (l *lab) start(ctx context.Context, s subject) (*target, error) {
	t := &target{addresses: make(map[string]string)}
	if err := l.startInto(ctx, s, t); err != nil {
		t.stop()
		return nil, err
	}
	return t, nil
}

func (l *lab) startInto(ctx context.Context, s subject, t *target) error {
	switch s {
	case hostSubject, memorySubject:
		return l.startFront(ctx, t, s, nil)
	case floorSubject:
		return l.startFloor(ctx, t)
	case plainSubject, modulesSubject, stockSubject:
		_, err := l.startProsody(ctx, t, s)
		return err
	}
	server, err := l.startProsody(ctx, t, directSubject)
	if err != nil {
		return err
	}
	switch s {
	case frontSubject:
		return l.startFront(ctx, t, s, server)
	case haproxySubject:
		return l.startHAProxy(ctx, t)
	}
	return nil
}

// tokens are the flags of clients that log in with a token.
func (l *lab) tokens() []string {
	return []string{"-mechanism", "X-TOKEN", "-seed", l.otpSeed, "-secret", l.tokenSecret}
}

// passwords are the flags of clients that know what xtokend derives.
func (l *lab) passwords(mechanism string) []string {
	return []string{"-mechanism", mechanism, "-account-secret", l.accountSecret, "-http-host", domain}
}

// file is a path in the folder of a subject, which it makes.
func (l *lab) file(s subject, name string) (string, error) {
	dir := filepath.Join(l.dir, strings.NewReplacer(", ", "-", " ", "-").Replace(string(s)))
	return filepath.Join(dir, name), os.MkdirAll(dir, 0o700)
}

func (l *lab) startFloor(ctx context.Context, t *target) error {
	log, err := l.file(floorSubject, "log")
	if err != nil {
		return err
	}
	var plain, direct, webSocket string
	if err := stockserver.FreeAddresses(loopbackHost(), &plain, &direct, &webSocket); err != nil {
		return err
	}
	p, err := startProcess("floor", log, exec.Command(l.programs.floor, "-tcp", plain, "-tls", direct, "-ws", webSocket,
		"-certificate", l.certificate, "-key", l.key))
	if err != nil {
		return err
	}
	t.lead(p)
	t.client = l.tokens()
	t.addresses = map[string]string{"tcp": plain, "tls": direct, "ws": "ws://" + webSocket + "/"}
	return p.await(ctx, accepts(webSocket)) // the last one that it listens at
}

const haproxySettings = `defaults
	mode tcp
	timeout connect 10s
	timeout client 10m
	timeout server 10m
listen tcp
	bind %s
	server prosody %s
listen tls
	bind %s ssl crt %s alpn xmpp-client
	server prosody %s
listen http
	bind %s
	server prosody %s
`

// startHAProxy puts it before the Prosody that the target has.
func (l *lab) startHAProxy(ctx context.Context, t *target) error {
	if program("haproxy") == "haproxy" {
		return notHere("HAProxy is not installed: apt-get install haproxy")
	}
	settings, err := l.file(haproxySubject, "haproxy.cfg")
	if err != nil {
		return err
	}
	var plain, direct, web string
	if err := stockserver.FreeAddresses(loopbackHost(), &plain, &direct, &web); err != nil {
		return err
	}
	server := l.servers[directSubject]
	text := fmt.Sprintf(haproxySettings, plain, server.C2S, direct, l.pair, server.C2S, web, server.web)
	if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
		return err
	}
	p, err := startProcess("haproxy", settings+".log", exec.Command(program("haproxy"), "-db", "-f", settings))
	if err != nil {
		return err
	}
	t.lead(p)
	t.addresses = map[string]string{
		"tcp": plain, "tls": direct, "ws": "ws://" + web + "/xmpp-websocket", "bosh": "http://" + web + "/http-bind",
	}
	return p.await(ctx, accepts(web))
}

// loopbackHost is an address from which no client connects, so that none takes a port
// that a server is about to have.
func loopbackHost() string {
	var random [3]byte
	rand.Read(random[:])
	return net.IPv4(127, 100+random[0]%100, random[1], 1+random[2]%254).String()
}
