// An XMPP client (@xmpp/client) that another program drives with one JSON
// object a line.
//
// Standard input: {"id": 1, "do": "connect", …}. Every command but
// "credentials" gets one answer of its id, {"id": 1, "result": {…}} or
// {"id": 1, "error": {…}}; the commands after a connection is up are those of
// commands.mjs.
// Standard output, besides the answers: {"event": "credentials"} asks for a
// {"do": "credentials", "password": …} and is sent anew at each connection;
// "online", "enabled" (XEP-0198), "resumed", "disconnect", "offline",
// "stanza" and "error" say what happened.
//
// It ends when standard input does.
import { createInterface } from "node:readline";
import { client as newClient } from "@xmpp/client";
import * as commands from "./commands.mjs";
import XToken from "./xtoken.mjs";

const STREAM_MANAGEMENT = "urn:xmpp:sm:3";

let client;
let answerCredentials;

const write = (object) => process.stdout.write(JSON.stringify(object) + "\n");
const emit = (event, fields) => write({ event, ...fields });

// condition: of a SASL failure, a stream error or a stanza error; code: of an
// error of the operating system or of TLS.
const describe = (error) => ({
  name: error.name,
  condition: error.condition ?? "",
  code: error.code ?? "",
  text: error.text ?? error.message ?? String(error),
});

function askCredentials() {
  return new Promise((resolve) => {
    answerCredentials = resolve;
    emit("credentials");
  });
}

async function connect({ service, domain, username, mechanism, resource, reconnectDelay }) {
  client = newClient({
    service,
    domain,
    resource,
    credentials: async (authenticate) =>
      authenticate({ username, password: await askCredentials() }, mechanism),
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
    emit("error", { error: describe(error) });
    // @xmpp/client leaves a refused stream open for ever; only a closed one is
    // tried again.
    if (started && error.name === "SASLError") client.disconnect();
  });

  try {
    const address = await client.start();
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

async function run({ id, do: name, ...fields }) {
  try {
    const act = { connect, stop }[name];
    const result = act
      ? await act(fields)
      : await commands[name](client, fields);
    write({ id, result: result ?? {} });
  } catch (error) {
    write({ id, error: describe(error) });
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  if (command.do === "credentials") answerCredentials(command.password);
  else run(command);
}
process.exit(0);
