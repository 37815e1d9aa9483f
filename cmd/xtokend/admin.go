package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strconv"
	"syscall"

	"xtokend/cmd/xtokend/internal/admin"
	"xtokend/cmd/xtokend/internal/config"
)

// adminFlags are those of every command that talks to the running daemon.
type adminFlags struct {
	settingsFlag
	Socket string `placeholder:"PATH" help:"Admin socket of the daemon (default: admin in the settings)."`
}

// ask calls question with a client of the daemon, and says what is wrong if
// nobody answers.
func (f *adminFlags) ask(question func(*admin.Client) error) error {
	path, err := f.path()
	if err != nil {
		return err
	}
	client := admin.NewClient(path)
	defer client.Close()
	return askError(path, question(client))
}

// path is that of the daemon's socket.
func (f *adminFlags) path() (string, error) {
	if f.Socket != "" {
		return f.Socket, nil
	}
	if file, err := os.Open(f.Config); err == nil {
		file.Close()
	} else if errors.Is(err, fs.ErrPermission) {
		return "", usage("name the daemon's socket with --socket, or run this command as the user that xtokend runs as",
			"cannot read %s: permission denied", f.Config)
	}
	cfg, err := config.Load(f.Config, config.Options{})
	if err != nil {
		return "", err
	}
	if cfg.Admin == "" {
		return "", usage(`add admin = "unix:/run/xtokend/admin.sock" to the settings, and restart the daemon`, "%s has no admin socket", f.Config)
	}
	return cfg.Admin, nil
}

func askError(path string, err error) error {
	var refusal *admin.Error
	if errors.As(err, &refusal) {
		f := &failure{status: exitFailure, text: refusal.Text, hint: refusal.Hint}
		if refusal.Usage {
			f.status = exitUsage
		}
		return f
	}
	if err == nil || !isDialError(err) {
		return err
	}
	f := &failure{status: exitFailure}
	switch {
	case errors.Is(err, fs.ErrPermission):
		f.text = "no permission to use " + path
		f.hint = "run this command as root, as the user that xtokend runs as, or as a member of the socket's group"
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		f.text = "no daemon answers at " + path
		f.hint = "xtokend does not run, or with other settings: see `systemctl status xtokend`, or name the socket with --socket"
	default:
		f.text = fmt.Sprintf("cannot reach the daemon at %s: %v", path, err)
	}
	return f
}

// isDialError says whether nobody has taken the connection.
func isDialError(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// printJSON prints v for programs.
func (p *process) printJSON(v any) error {
	encoder := json.NewEncoder(p.stdout)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}

func count(n int) string { return strconv.Itoa(n) }
