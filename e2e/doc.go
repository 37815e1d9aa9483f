// Package e2e tests the whole program as people use it: a stock Prosody or ejabberd behind
// xtokend, real XMPP clients in front (converse.js in Chromium, strophe.js,
// @xmpp/client in Node, go-sendxmpp), nginx and HAProxy between them where a site
// has them, and tokens minted by pyotp. It has tests only; `make setup` installs
// what they use.
package e2e
