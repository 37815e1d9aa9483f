// Package ejabberd starts a throwaway ejabberd on loopback, for tests and for
// trying things out. It needs Debian's package of that name, 23.01 or later.
package ejabberd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"xtokend/internal/stockserver"
)

// Start writes a configuration to o.Dir, starts ejabberd and returns when it
// answers clients, within 90 seconds. ctx bounds the start only; the caller
// ends the server with its methods Stop or Kill. On Linux it also ends with the
// process that started it.
//
// It takes nothing of an ejabberd that is installed but its program, and does
// without Erlang's distribution: no node name, no cookie, no epmd.
func Start(ctx context.Context, o Options) (*stockserver.Server, error) {
	p := program{Server: stockserver.New(o.Dir, o.domain())}
	if err := start(ctx, p, o); err != nil {
		return nil, fmt.Errorf("ejabberd: %w (is the package ejabberd installed?)", err)
	}
	return p.Server, nil
}

func start(ctx context.Context, p program, o Options) error {
	var err error
	if p.libraries, err = libraries(); err != nil {
		return err
	}
	addresses := []*string{&p.C2S, &p.Component, &p.api}
	if o.TLS {
		addresses = append(addresses, &p.DirectTLS)
	}
	if err := stockserver.FreeAddresses(p.Host(), addresses...); err != nil {
		return err
	}
	p.ProxyProtocol = o.ProxyProtocol
	if err := p.MakeDirs("data", "messages"); err != nil {
		return err
	}
	if o.TLS {
		if err := p.MakeCertificate(); err != nil {
			return fmt.Errorf("make a certificate: %w", err)
		}
	}
	config, err := o.config(p)
	if err != nil {
		return err
	}
	if err := os.WriteFile(p.configFile(), config, 0o600); err != nil {
		return err
	}
	return p.Server.Start(ctx, p)
}

// libraries is the directory that holds ejabberd's Erlang application, which
// depends on the machine's architecture.
func libraries() (string, error) {
	found, err := filepath.Glob("/usr/lib/*/ejabberd-*/ebin/ejabberd.app")
	if err != nil {
		return "", err
	}
	if len(found) == 0 {
		return "", errors.New("no /usr/lib/*/ejabberd-*/ebin/ejabberd.app")
	}
	return filepath.Dir(filepath.Dir(filepath.Dir(found[0]))), nil
}

// program is ejabberd with the files of a server.
type program struct {
	*stockserver.Server
	libraries string
	api       string // host:port of mod_http_api
}

func (p program) configFile() string { return p.File("ejabberd.yml") }

func (program) Name() string      { return "ejabberd" }
func (p program) LogFile() string { return p.File("ejabberd.log") }

// Command does what ejabberdctl does, which insists on a user and on files of the
// system's own.
func (p program) Command() *exec.Cmd {
	cmd := exec.Command("erl",
		"+sbwt", "none", "+sbwtdcpu", "none", "+sbwtdio", "none", // leave idle processors to others
		"-noinput", "-start_epmd", "false",
		"-mnesia", "dir", fmt.Sprintf("%q", p.File("data")),
		"-s", "ejabberd")
	cmd.Dir = p.File("data")
	cmd.Env = append(os.Environ(),
		"HOME="+p.File("data"),
		"ERL_LIBS="+p.libraries,
		"ERL_CRASH_DUMP="+p.File("erl_crash.dump"),
		"EJABBERD_CONFIG_PATH="+p.configFile(),
		"EJABBERD_LOG_PATH="+p.LogFile(),
		// Building the cache of translations takes longer than all else of the start.
		"EJABBERD_MSGS_PATH="+p.File("messages"))
	return cmd
}
