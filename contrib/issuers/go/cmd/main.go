// Command cmd answers a credentials URL behind a reverse proxy that has the site's login: the proxy passes the user's
// id on in X-Remote-User, and takes that header out of what clients send. It listens on loopback, for that proxy alone.
//
// OTP_SEED_FILE and TOKEN_SECRET_FILE name the files of the key, XMPP_DOMAIN the domain, PORT the port; FOLD_CASE=1
// sets [issuer.Issuer.FoldCase].
package main

import (
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"xtokend/auth"
	issuer "xtokend/contrib/issuers/go"
)

func main() {
	log.SetFlags(0)
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	seed, err := read("OTP_SEED_FILE")
	if err != nil {
		return err
	}
	secret, err := read("TOKEN_SECRET_FILE")
	if err != nil {
		return err
	}
	key, err := auth.NewKey(seed, secret, time.Time{})
	if err != nil {
		return err
	}
	domain := os.Getenv("XMPP_DOMAIN")
	if domain == "" {
		return errors.New("XMPP_DOMAIN is not set")
	}
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", os.Getenv("PORT")))
	if err != nil {
		return err
	}
	fmt.Printf("listening on http://%s\n", listener.Addr())
	server := &http.Server{
		Handler: &issuer.Issuer{
			Key:      key,
			Domain:   domain,
			FoldCase: os.Getenv("FOLD_CASE") == "1",
			UserID:   func(r *http.Request) string { return r.Header.Get("X-Remote-User") },
			Report:   func(err error) { log.Print(err) },
		},
		ReadTimeout:  10 * time.Second,
		WriteTimeout: 10 * time.Second,
		IdleTimeout:  time.Minute,
	}
	return server.Serve(listener)
}

// read returns the text of the file that an environment variable names.
func read(variable string) (string, error) {
	text, err := os.ReadFile(os.Getenv(variable))
	if err != nil {
		return "", fmt.Errorf("%s: %w", variable, err)
	}
	return strings.TrimSpace(string(text)), nil
}
