// Tests of a chat, with `xtokend demo` as the XMPP server: it is up before they
// start, and its addresses are in the environment.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { client, xml } from "@xmpp/client";
import WebSocket from "ws";
import { issue } from "./issuer.mjs";

const { XTOKEND_URL, XTOKEND_WEBSOCKET_URL, XTOKEND_DOMAIN } = process.env;

globalThis.WebSocket ??= WebSocket; // Node has one of its own since version 22

// The key that both the issuer and xtokend have.
const keyFile = await readFile(new URL("key.toml", import.meta.url), "utf8");
const key = {
  otpSeed: /^otp_seed = "(.*)"$/m.exec(keyFile)[1],
  tokenSecret: /^token_secret = "(.*)"$/m.exec(keyFile)[1],
};

// credentials are what converse.js gets from its credentials_url.
async function credentials(name) {
  const answer = await fetch(`${XTOKEND_URL}/credentials?name=${encodeURIComponent(name)}`);
  assert.equal(answer.status, 200);
  return answer.json();
}

// logIn returns a client that is online until the test ends.
async function logIn(t, { jid, password }) {
  const xmpp = client({
    service: XTOKEND_WEBSOCKET_URL,
    domain: XTOKEND_DOMAIN,
    credentials: (authenticate) => authenticate({ username: jid.split("@")[0], password }, "PLAIN"),
  });
  xmpp.reconnect.stop(); // a token is good for one login
  xmpp.on("error", () => {}); // start rejects as well
  t.after(() => xmpp.stop());
  await xmpp.start();
  return xmpp;
}

// next returns the first stanza that comes and is wanted.
const next = (xmpp, wanted) =>
  new Promise((resolve) => {
    const look = (stanza) => {
      if (!wanted(stanza)) return;
      xmpp.off("stanza", look);
      resolve(stanza);
    };
    xmpp.on("stanza", look);
  });

// goOnline returns when the server takes messages for the client: it sends a
// client's presence to the client too.
async function goOnline(xmpp) {
  const echo = next(xmpp, (stanza) => stanza.is("presence") && stanza.attrs.from === xmpp.jid.toString());
  await xmpp.send(xml("presence"));
  await echo;
}

const limit = { timeout: 30_000 };

test("two users chat", limit, async (t) => {
  const alice = await logIn(t, await credentials("alice"));
  const bob = await logIn(t, await credentials("bob"));
  await goOnline(alice);
  await goOnline(bob);

  const received = next(bob, (stanza) => stanza.is("message"));
  await alice.send(xml("message", { type: "chat", to: bob.jid.bare().toString() }, xml("body", {}, "Tea?")));
  const message = await received;
  assert.equal(message.getChildText("body"), "Tea?");
  assert.equal(message.attrs.from, alice.jid.toString());
});

test("a token of the site's own issuer is good for one login", limit, async (t) => {
  const jid = `carol@${XTOKEND_DOMAIN}`;
  const password = issue(jid, key);
  const carol = await logIn(t, { jid, password });
  assert.equal(carol.jid.bare().toString(), jid);
  await assert.rejects(logIn(t, { jid, password }), { name: "SASLError", condition: "not-authorized" });
});

test("nobody logs in with a token of somebody else", limit, async (t) => {
  const { password } = await credentials("alice");
  await assert.rejects(logIn(t, { jid: `bob@${XTOKEND_DOMAIN}`, password }), { condition: "not-authorized" });
});
