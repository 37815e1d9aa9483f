// Answers each request on standard input with what the issuer makes of it; see issuers_test.go.
import { createInterface } from "node:readline";
import { Key, UserIdError, localpart } from "../node/xtoken.mjs";

const key = new Key(...process.argv.slice(2));
for await (const line of createInterface({ input: process.stdin })) {
  const r = JSON.parse(line);
  try {
    const name = localpart(r.user_id, r.fold_case);
    console.log(JSON.stringify({ localpart: name, token: key.token(name, r.domain, new Date(r.at * 1000), r.nonce) }));
  } catch (error) {
    if (!(error instanceof UserIdError)) throw error;
    console.log(JSON.stringify({ error: error.message }));
  }
}
