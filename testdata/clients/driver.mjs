// What the drivers of the XMPP clients have in common: another program tells a
// driver what to do with one JSON object a line.
//
// Standard input: {"id": 1, "do": "connect", …}. Every command but
// "credentials" gets one answer of its id, {"id": 1, "result": {…}} or
// {"id": 1, "error": {…}}.
// Standard output, besides the answers: {"event": "credentials"} asks for a
// {"do": "credentials", "password": …} and is sent anew at each connection that
// authenticates; "online", "enabled" (XEP-0198), "resumed", "disconnect",
// "offline", "stanza" and "error" say what happened.
//
// It ends when standard input does.
import { createInterface } from "node:readline";

let answerCredentials;

const write = (object) => process.stdout.write(JSON.stringify(object) + "\n");

export const emit = (event, fields) => write({ event, ...fields });

// condition: of a SASL failure, a stream error or a stanza error; code: of an
// error of the operating system or of TLS.
export const describe = (error) => ({
  name: error.name,
  condition: error.condition ?? "",
  code: error.code ?? "",
  text: error.text ?? error.message ?? String(error),
});

export function askPassword() {
  return new Promise((resolve) => {
    answerCredentials = resolve;
    emit("credentials");
  });
}

// perform does the command named with its fields, and resolves to its result.
export async function serve(perform) {
  const run = async ({ id, do: name, ...fields }) => {
    try {
      write({ id, result: (await perform(name, fields)) ?? {} });
    } catch (error) {
      write({ id, error: describe(error) });
    }
  };
  for await (const line of createInterface({ input: process.stdin })) {
    const command = JSON.parse(line);
    if (command.do === "credentials") answerCredentials(command.password);
    else run(command);
  }
  process.exit(0);
}
