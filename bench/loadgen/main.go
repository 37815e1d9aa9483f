// Command loadgen puts a bounded load on an XMPP server and prints what it has measured
// as one line of JSON (package result). It shares no code with what it measures: its XML
// scanner, its tokens and its SCRAM are its own, and the standard library's.
//
// Addresses are taken as given: point it only at servers of your own. Certificates are
// not verified, and TLS sessions are not resumed.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"xtokend/bench/result"
)

const usage = `usage: loadgen login|relay|idle|storm [flags]

  login   -workers loops of connect, stream, TLS, authentication, bind, polite close,
          for -duration
  relay   -workers pairs; in each, one sends the other messages, at most -window on
          their way; with 1 the next leaves when the last has come: ping-pong
  idle    -n sessions, opened at -rate a second, held for -hold; then each must answer
          a ping. Tells the memory of each -pid
  storm   -n clients connect at the same moment, log in once and stay until the last
          one has

loadgen MODE -h lists the flags.
`

func main() {
	modes := map[string]func(*config) (*result.Run, error){
		"login": runLogin, "relay": runRelay, "idle": runIdle, "storm": runStorm,
	}
	if len(os.Args) < 2 || modes[os.Args[1]] == nil {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	run, err := measure(os.Args[1], modes[os.Args[1]], os.Args[2:])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(run)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "loadgen:", err)
		os.Exit(2)
	}
}

func measure(mode string, do func(*config) (*result.Run, error), args []string) (*result.Run, error) {
	cfg, err := parseConfig(mode, args)
	if err != nil {
		return nil, err
	}
	run, err := do(cfg)
	if err != nil {
		return nil, fmt.Errorf("%s over %s: %w", mode, cfg.transport, err)
	}
	run.Mode, run.Transport, run.Mechanism = mode, cfg.transport, strings.ToUpper(cfg.mechanism)
	run.TLS = cfg.tlsVersion()
	return run, nil
}
