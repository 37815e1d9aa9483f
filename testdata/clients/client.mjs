// An XMPP client (@xmpp/client) that another program drives by the protocol of
// driver.mjs; the commands after a connection is up are those of commands.mjs.
import { client as newClient } from "@xmpp/client";
import WebSocket from "ws";
import * as commands from "./commands.mjs";
import { askPassword, describe, emit, serve } from "./driver.mjs";
import XToken from "./xtoken.mjs";

const STREAM_MANAGEMENT = "urn:xmpp:sm:3";

// @xmpp/client takes the WebSocket of its environment, and Node has one only
// since version 22.
globalThis.WebSocket = WebSocket;

// @xmpp/client 0.14 waits for "online" by a promise that is nobody's until its own
// header is known to be written. On a busy machine a refusal may come before that.
const told = new WeakSet();
process.on("unhandledRejection", (error) => {
  if (!told.has(error)) throw error;
});

let client;

async function connect({ service, domain, username, mechanism, resource, reconnectDelay }) {
  client = newClient({
    service,
    domain,
    resource,
    credentials: async (authenticate) =>
      authenticate({ username, password: await askPassword() }, mechanism),
  });
  client.saslFactory.use(XToken);
  client.timeout = 60_000; // milliseconds; its 2 s are too few on a busy machine
  client.reconnect.delay = reconnectDelay ?? 50; // milliseconds
  let started = false;

  client.on("online", (address) => emit("online", { jid: address.toString() }));
  client.on("offline", () => emit("offline"));
  client.on("disconnect", () => emit("disconnect"));
  client.on("stanza", (stanza) => emit("stanza", { xml: stanza.toString() }));
  client.on("nonza", (element) => {
    if (element.is("enabled", STREAM_MANAGEMENT)) emit("enabled");
  });
  client.streamManagement.on("resumed", () => emit("resumed"));
  client.on("error", (error) => {
    told.add(error);
    emit("error", { error: describe(error) });
    // @xmpp/client leaves a refused stream open for ever; only a closed one is
    // tried again.
    if (started && error.name === "SASLError") client.disconnect();
  });

  const failed = new Promise((_, reject) => client.once("error", reject));
  try {
    const address = await Promise.race([client.start(), failed]);
    started = true;
    return { jid: address.toString() };
  } catch (error) {
    client.reconnect.stop();
    await client.stop();
    throw error;
  }
}

async function stop() {
  client.reconnect.stop();
  await client.stop();
}

const own = { connect, stop };

await serve((name, fields) =>
  name in own ? own[name](fields) : commands[name](client, fields),
);
