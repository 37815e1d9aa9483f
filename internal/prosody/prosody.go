// Package prosody starts a throwaway Prosody on loopback, for tests and for
// trying things out. It needs the prosody and prosodyctl commands, 0.12 or
// later, in PATH.
package prosody

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"

	"xtokend/internal/stockserver"
)

// Start writes a configuration to o.Dir, starts Prosody and returns when it
// answers clients, within 90 seconds. ctx bounds the start only; the caller
// ends the server with its methods Stop or Kill. On Linux it also ends with the
// process that started it.
func Start(ctx context.Context, o Options) (*stockserver.Server, error) {
	s := stockserver.New(o.Dir, o.domain())
	if err := start(ctx, s, o); err != nil {
		return nil, fmt.Errorf("prosody: %w (is the package prosody installed?)", err)
	}
	return s, nil
}

func start(ctx context.Context, s *stockserver.Server, o Options) error {
	addresses := []*string{&s.C2S}
	if !o.NoComponent {
		addresses = append(addresses, &s.Component)
	}
	if o.Servers {
		addresses = append(addresses, &s.Servers)
	}
	if o.TLS {
		addresses = append(addresses, &s.DirectTLS)
	}
	if err := stockserver.FreeAddresses(s.Host(), addresses...); err != nil {
		return err
	}
	if err := s.MakeDirs("data", "certs"); err != nil {
		return err
	}
	if o.TLS {
		if err := s.MakeCertificate(); err != nil {
			return fmt.Errorf("make a certificate: %w", err)
		}
	}
	p := Program{Settings: s.File("prosody.cfg.lua"), Data: s.File("data"), Log: logFile(s), Domain: s.Domain}
	if err := os.WriteFile(p.Settings, []byte(o.config(s)), 0o600); err != nil {
		return err
	}
	return s.Start(ctx, p)
}

func logFile(s *stockserver.Server) string { return s.File("prosody.log") }

// Program is a Prosody with settings that may be anybody's, for the method Start of a
// server that knows where it listens.
type Program struct {
	Settings string // path of the file
	Data     string // the folder that is its data_path
	Log      string // path of the file that it logs to
	Domain   string
}

func (Program) Name() string      { return "Prosody" }
func (p Program) LogFile() string { return p.Log }

func (p Program) Command() *exec.Cmd {
	return exec.Command("prosody", "-F", "--config", p.Settings)
}

// Register runs prosodyctl.
func (p Program) Register(ctx context.Context, localpart, password string) error {
	args := []string{"--config", p.Settings}
	if os.Geteuid() == 0 {
		args = append([]string{"--root"}, args...)
	}
	cmd := exec.CommandContext(ctx, "prosodyctl", append(args, "register", localpart, p.Domain, password)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("prosodyctl register %s: %w\n%s", localpart, err, out)
	}
	return nil
}

// HasAccount looks for the account's file.
func (p Program) HasAccount(_ context.Context, localpart string) (bool, error) {
	_, err := os.Stat(p.accountFile(localpart))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
