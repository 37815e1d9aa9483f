// Package e2e tests xtokend as its users meet it: clients that nobody here
// wrote (@xmpp/client, go-sendxmpp) and a small one on the raw protocol log in
// through the real program to a stock Prosody, with tokens made by pyotp.
//
// "make setup" installs what the tests need.
package e2e
