// Command xtokend stands in front of an XMPP server and lets users log in with
// one-time tokens.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	_ "time/tzdata" // issuer_timezone must not depend on the machine

	"github.com/alecthomas/kong"

	"xtokend/cmd/xtokend/internal/config"
)

// Exit statuses of every command.
const (
	exitOK      = 0
	exitFailure = 1 // what was asked for failed, or a token is refused
	exitUsage   = 2 // the command line or the settings are wrong
)

// commands is the grammar of the command line.
type commands struct {
	Serve    serveCommand    `cmd:"" help:"Run: accept clients, verify their tokens and relay them to the server."`
	Demo     demoCommand     `cmd:"" help:"Run for a trial: new keys, the host, and a page with converse.js. Anybody on this machine may log in as anybody."`
	Check    checkCommand    `cmd:"" help:"Say everything that is wrong with the settings; with --live, with all around them."`
	Keygen   keygenCommand   `cmd:"" help:"Print a new key as TOML: a 160-bit OTP seed and a 256-bit token secret."`
	Token    tokenCommand    `cmd:"" help:"Print a token for JID."`
	Explain  explainCommand  `cmd:"" help:"Say why a token is accepted or refused."`
	Accounts accountsCommand `cmd:"" help:"Make, remove or list accounts on the server."`
	Status   statusCommand   `cmd:"" help:"Say how the running daemon is."`
	Sessions sessionsCommand `cmd:"" help:"List who is logged in."`
	Revoke   revokeCommand   `cmd:"" help:"End a user's sessions and refuse the tokens that the user has got before now."`
	Drain    drainCommand    `cmd:"" help:"Have the running daemon let nobody new in, and leave all sessions alone."`
	Extauth  extauthCommand  `cmd:"" help:"Answer a server that asks an external program whether a password is right."`
	Migrate  migrateCommand  `cmd:"" help:"Make the settings of a Prosody that verifies tokens with Lua modules, and change that server's."`
	Version  versionCommand  `cmd:"" help:"Print the version."`

	Completion completionCommand `cmd:"" help:"Print what a shell needs to complete xtokend's commands and flags."`
}

// settingsFlag is the flag of every command that reads the settings.
type settingsFlag struct {
	Config string `placeholder:"FILE" default:"${config}" help:"Settings file (default ${config})."`
}

// process is what a command has of the world outside.
type process struct {
	stdin          io.Reader
	stdout, stderr io.Writer
}

// flush shows what was printed before the command ends. An error stays, and is
// told at the end.
func (p *process) flush() {
	if b, ok := p.stdout.(*bufio.Writer); ok {
		b.Flush()
	}
}

func main() {
	stdout := bufio.NewWriter(os.Stdout)
	finish := func(status int) {
		if err := stdout.Flush(); err != nil && status == exitOK {
			fmt.Fprintf(os.Stderr, "xtokend: error: cannot write to standard output: %v\n", errors.Unwrap(err))
			status = exitFailure
		}
		os.Exit(status)
	}
	p := &process{stdin: os.Stdin, stdout: stdout, stderr: os.Stderr}
	finish(p.run(os.Args[1:], finish))
}

// run runs the command that args name and returns its exit status. After
// printing help it calls exit, which must not return.
func (p *process) run(args []string, exit func(status int)) int {
	command, err := p.grammar(exit).Parse(args)
	if err != nil {
		return p.complain(usageError(err))
	}
	return p.complain(command.Run())
}

// grammar makes the parser of the command line.
func (p *process) grammar(exit func(status int)) *kong.Kong {
	return kong.Must(&commands{},
		kong.Name("xtokend"),
		kong.Description("Lets users log in to an XMPP server with one-time tokens."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
		kong.Vars{"config": config.DefaultPath, "folder": filepath.Dir(config.DefaultPath)},
		kong.Writers(p.stdout, p.stderr),
		kong.Exit(exit),
		kong.Bind(p),
	)
}
