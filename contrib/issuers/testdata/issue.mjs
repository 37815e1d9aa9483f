// Answers each request on standard input with what the issuer makes of it; see issuers_test.go.
import { createInterface } from "node:readline";
import { leave, localparts } from "../node/accounts.mjs";
import { Key, UserIdError, localpart } from "../node/xtoken.mjs";

const key = new Key(...process.argv.slice(2));

async function left({ command, verb, names }) {
  try {
    await leave(command, verb, names);
    return { error: "" };
  } catch (error) {
    return { error: error.message };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const r = JSON.parse(line);
  if (r.user_ids || r.command) {
    console.log(JSON.stringify(r.command ? await left(r) : localparts(r.user_ids, r.fold_case)));
    continue;
  }
  try {
    const name = localpart(r.user_id, r.fold_case);
    console.log(JSON.stringify({ localpart: name, token: key.token(name, r.domain, new Date(r.at * 1000), r.nonce) }));
  } catch (error) {
    if (!(error instanceof UserIdError)) throw error;
    console.log(JSON.stringify({ error: error.message }));
  }
}
