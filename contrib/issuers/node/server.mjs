// A credentials URL behind a reverse proxy that has the site's login: it passes the user's id on in X-Remote-User, and
// takes that header out of what clients send. It listens on loopback, for that proxy alone.
//
// OTP_SEED_FILE and TOKEN_SECRET_FILE name the files of the key, XMPP_DOMAIN the domain, PORT the port.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { Key, credentialsHandler } from "./xtoken.mjs";

const read = (variable) => {
  try {
    return readFileSync(process.env[variable] ?? "", "utf8").trim();
  } catch (error) {
    console.error(`${variable}: ${error.message}`);
    process.exit(1);
  }
};

// A header's octets come as Latin-1; the proxy sends UTF-8.
const userId = (request) => {
  const header = request.headers["x-remote-user"];
  return header ? Buffer.from(header, "latin1").toString("utf8") : null;
};

const server = createServer(
  credentialsHandler({
    key: new Key(read("OTP_SEED_FILE"), read("TOKEN_SECRET_FILE")),
    domain: process.env.XMPP_DOMAIN ?? "example.org",
    foldCase: process.env.FOLD_CASE === "1",
    userId,
  }),
);
server.listen(Number(process.env.PORT ?? 8008), "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`);
});
