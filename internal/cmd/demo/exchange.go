package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"xtokend/internal/installation"
	"xtokend/internal/watch"
)

const message = "Hello Bob, no password was needed."

// demo is what the steps share.
type demo struct {
	out          io.Writer
	installation *installation.Installation
	program      string // xtokend, an absolute path
	settings     string // path of xtokend.toml
}

// exchange lets bob wait for a message and alice send it, each with a fresh
// token, and then tries alice's token once more.
func (d *demo) exchange(ctx context.Context) error {
	fmt.Fprintln(d.out, "\nTwo users log in by go-sendxmpp, each with a token as password:")
	bob := d.user("bob")
	if err := bob.fetchToken(ctx, d); err != nil {
		return err
	}
	var received watch.Output
	listener := d.client(ctx, bob, "--listen", "--debug")
	listener.Stdout, listener.Stderr = &received, &received
	if err := listener.Start(); err != nil {
		return err
	}
	listening := make(chan struct{})
	go func() {
		defer close(listening)
		listener.Wait()
		received.Close()
	}()
	defer func() {
		listener.Process.Kill()
		<-listening
	}()
	// The server sends a client its own presence back.
	if err := received.Wait(ctx, "<presence ", 0); err != nil {
		return fmt.Errorf("bob is not online: %w\n%s", err, received.Bytes())
	}

	alice := d.user("alice")
	if err := alice.fetchToken(ctx, d); err != nil {
		return err
	}
	if written, err := d.send(ctx, alice, bob.jid); err != nil {
		return fmt.Errorf("alice cannot send: %w\n%s", err, written)
	}
	if err := received.Wait(ctx, message, 0); err != nil {
		return fmt.Errorf("bob has received nothing: %w\n%s", err, received.Bytes())
	}
	fmt.Fprintf(d.out, "  bob receives from alice: %s\n", message)

	fmt.Fprintln(d.out, "\nA token admits one login. The same one again:")
	written, err := d.send(ctx, alice, bob.jid)
	if err == nil {
		return fmt.Errorf("alice's used token was accepted\n%s", written)
	}
	fmt.Fprintf(d.out, "  go-sendxmpp: %s\n", lastLine(written))
	return nil
}

// user is somebody who may log in.
type user struct{ jid, token string }

func (d *demo) user(localpart string) *user {
	return &user{jid: localpart + "@" + d.installation.Prosody.Domain}
}

// fetchToken asks xtokend for a token, as a web application would make it.
func (u *user) fetchToken(ctx context.Context, d *demo) error {
	var complaint bytes.Buffer
	cmd := exec.CommandContext(ctx, d.program, "token", "--config", d.settings, u.jid)
	cmd.Stderr = &complaint
	token, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("xtokend token: %w\n%s", err, complaint.Bytes())
	}
	u.token = strings.TrimSpace(string(token))
	fmt.Fprintf(d.out, "  $ xtokend token %s\n  %s\n", u.jid, u.token)
	return nil
}

func (d *demo) send(ctx context.Context, from *user, to string) (written []byte, err error) {
	cmd := d.client(ctx, from, to)
	cmd.Stdin = strings.NewReader(message)
	return cmd.CombinedOutput()
}

// client is go-sendxmpp as u. It takes its authorities from SSL_CERT_FILE, as
// Go programs do.
func (d *demo) client(ctx context.Context, u *user, args ...string) *exec.Cmd {
	args = append([]string{"--jserver", d.installation.StartTLS, "--username", u.jid, "--password", u.token}, args...)
	cmd := exec.CommandContext(ctx, "go-sendxmpp", args...)
	cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+d.installation.AuthorityFile())
	return cmd
}

func lastLine(text []byte) string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return lines[len(lines)-1]
}

// instruct says how to go on by hand.
func (d *demo) instruct() {
	i := d.installation
	fmt.Fprintf(d.out, `
Everything stays up until Ctrl-C. In another terminal:

  token() { %[1]s token --config %[2]s "$1"; }
  export SSL_CERT_FILE=%[3]s

  # wait for messages as bob, and send one as alice
  go-sendxmpp -j %[4]s -u bob@%[6]s -p "$(token bob@%[6]s)" -l
  echo hello | go-sendxmpp -j %[4]s -u alice@%[6]s -p "$(token alice@%[6]s)" bob@%[6]s

  # the same through direct TLS, with -t
  echo hello | go-sendxmpp -t -j %[5]s -u alice@%[6]s -p "$(token alice@%[6]s)" bob@%[6]s

  # why is a token accepted or refused?
  %[1]s explain --config %[2]s bob@%[6]s "$(token alice@%[6]s)"

  # speak XMPP yourself
  openssl s_client -quiet -starttls xmpp -xmpphost %[6]s -CAfile "$SSL_CERT_FILE" -connect %[4]s
`, d.program, d.settings, i.AuthorityFile(), i.StartTLS, i.DirectTLS, i.Prosody.Domain)
}
