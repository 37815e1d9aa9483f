package main

import (
	"fmt"
	"io"
	"strings"

	"xtokend/auth"
	"xtokend/auth/replay"
)

// maxTokenBytes bounds what is read from standard input; a token has 85 bytes.
const maxTokenBytes = 1 << 20

type explainCommand struct {
	settingsFlag
	At    instant `placeholder:"TIME" help:"Moment of verification, as in 2026-01-02T15:04:05Z (default now)."`
	JID   string  `arg:"" name:"jid" help:"Bare JID; what stands before its last @ is the name as the client sent it."`
	Token string  `arg:"" help:"The token, in quotes; - reads it from standard input."`
}

// Run prints the verdict on one line, then what was found. A refused token
// makes the exit status that of a failure.
func (c *explainCommand) Run(p *process) error {
	authcid, domain, err := c.user(c.JID)
	if err != nil {
		return err
	}
	token, err := c.token(p.stdin)
	if err != nil {
		return err
	}
	verifier, err := domain.Verifier(replay.NewMemory(replay.MemoryOptions{}))
	if err != nil {
		return err
	}
	e := verifier.Explain(c.At.orNow(), authcid, token)
	fmt.Fprintln(p.stdout, e.Verdict)
	for _, finding := range e.Findings {
		fmt.Fprintln(p.stdout, finding)
	}
	if e.Verdict != auth.VerdictOK {
		return &failure{status: exitFailure}
	}
	return nil
}

// token returns the token exactly as it was given: white space is part of it.
func (c *explainCommand) token(stdin io.Reader) (string, error) {
	if c.Token != "-" {
		return c.Token, nil
	}
	text, err := io.ReadAll(io.LimitReader(stdin, maxTokenBytes+1))
	if err != nil {
		return "", fmt.Errorf("cannot read standard input: %w", err)
	}
	if len(text) > maxTokenBytes {
		return "", usage("give one token", "standard input has more than %d bytes", maxTokenBytes)
	}
	return strings.TrimSuffix(string(text), "\n"), nil
}
