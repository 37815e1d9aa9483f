package main

import (
	"fmt"

	"xtokend/auth"
)

type keygenCommand struct{}

// Run prints a new key.
func (*keygenCommand) Run(p *process) error {
	seed, secret, err := auth.GenerateKey()
	if err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "[[domain.key]]\notp_seed = %q\ntoken_secret = %q\n", seed, secret)
	return nil
}
