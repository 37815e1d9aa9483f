// Makes one-time tokens with which the users of a web site log in to XMPP. Needs nothing but Node 20.
//
// A token is  otp nonce SP signature:
//   otp        8 digits, TOTP (RFC 6238) with HMAC-SHA-1 and steps of 30 seconds; the seed is base32
//   nonce      32 digits
//   signature  base64 of HMAC-SHA-256(token secret, otp nonce localpart "@" domain)
//
// Put credentialsHandler behind the middleware that knows who is logged in. No error holds a seed, secret or token.
import { createHmac, randomInt } from "node:crypto";

const STEP_MS = 30_000;
const NONCE = /^[0-9]{32}$/;
const MAX_LOCALPART_BYTES = 1023; // RFC 7622 §3.3.1
const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"; // RFC 4648 §6

// XEP-0106 §4.2. A backslash is escaped only where it would begin one of these.
const ESCAPED = /[ "&'/:<>@]|\\(?=20|22|26|27|2f|3a|3c|3e|40|5c)/g;

// What may stand in an address (RFC 8264 §9.1, in lower case), and the space, which is escaped.
const ALLOWED = /^[ !-~\p{Ll}\p{Lo}\p{Lm}\p{Mn}\p{Mc}\p{Nd}]*$/u;

// Letters and marks that a server of RFC 6122 reads as others (ß as ss, ς as σ, iota subscripts), and those that RFC
// 5892 §2.6, §2.8 and §2.9 takes out: fillers, old Hangul, what shows nothing.
const UNSAFE = new RegExp(
  "[\\u00df\\u0345\\u034f\\u03c2\\u0640\\u07fa\\u1100-\\u11ff\\u17b4\\u17b5\\u180b-\\u180d\\u180f\\u1f80-\\u1faf" +
    "\\u1fb2-\\u1fb4\\u1fb7\\u1fbc\\u1fc2-\\u1fc4\\u1fc7\\u1fcc\\u1ff2-\\u1ff4\\u1ff7\\u1ffc\\u302e\\u302f" +
    "\\u3031-\\u3035\\u303b\\ua960-\\ua97c\\ud7b0-\\ud7fb\\ufe00-\\ufe0f\\u{e0100}-\\u{e01ef}]",
  "u",
);

// A user id that cannot be the name of an XMPP account. Its message says why.
export class UserIdError extends Error {}

// localpart returns the part of the user's XMPP address in front of the @, escaped by XEP-0106.
//
// XMPP knows no letter case. An id that it would change (JSmith to jsmith) is refused unless foldCase is set. Set it
// only where no two ids are the same but for letter case or Unicode form: their owners would share one account.
export function localpart(userId, foldCase = false) {
  const named = `the user id ${JSON.stringify(userId)}`;
  if (typeof userId !== "string" || !userId.isWellFormed()) throw new UserIdError("the user id is not Unicode text");
  // Letter by letter: at the end of a word Σ would become ς, which servers read as σ.
  const folded = Array.from(userId.normalize("NFC"), (c) => c.toLowerCase()).join("").normalize("NFC");
  if (folded !== userId && !foldCase) {
    throw new UserIdError(
      `${named} would become ${JSON.stringify(folded)} in XMPP: ` +
        "set foldCase, if no two user ids are the same but for letter case",
    );
  }
  if (folded.startsWith(" ") || folded.endsWith(" ")) {
    throw new UserIdError(`${named} begins or ends with a space (XEP-0106 §4.1)`);
  }
  const escaped = folded.replace(ESCAPED, (c) => "\\" + c.charCodeAt(0).toString(16));
  // Full-width and other compatibility forms would be read as plain letters.
  if (!ALLOWED.test(folded) || UNSAFE.test(folded) || escaped.normalize("NFKC") !== escaped) {
    throw new UserIdError(`${named} holds characters that no XMPP address may hold, or that servers read as others`);
  }
  if (escaped === "" || Buffer.byteLength(escaped) > MAX_LOCALPART_BYTES) {
    throw new UserIdError(`the user id is empty or longer than ${MAX_LOCALPART_BYTES} octets`);
  }
  return escaped;
}

// A Key is a seed for one-time passwords and a token secret, as in xtokend's [[domain.key]]. It prints neither.
export class Key {
  #seed;
  #secret;

  constructor(otpSeed, tokenSecret) {
    this.#seed = decodeBase32(otpSeed);
    if (!/^[!-~]+$/.test(tokenSecret)) throw new Error("the token secret is not one word of printable ASCII");
    this.#secret = tokenSecret;
  }

  // token returns a token for one login as localpart@domain at that moment, a Date. nonce is for tests; without one it
  // is random.
  token(localpart, domain, at = new Date(), nonce = randomNonce()) {
    if (!NONCE.test(nonce)) throw new Error("the nonce is not 32 digits");
    const digits = this.#otp(Math.floor(at.getTime() / STEP_MS)) + nonce;
    const signature = createHmac("sha256", this.#secret).update(`${digits}${localpart}@${domain}`, "utf8");
    return `${digits} ${signature.digest("base64")}`;
  }

  #otp(step) {
    const counter = Buffer.alloc(8);
    counter.writeBigUInt64BE(BigInt(step));
    const mac = createHmac("sha1", this.#seed).update(counter).digest();
    const truncated = mac.readUInt32BE(mac.at(-1) & 0x0f) & 0x7fffffff; // RFC 4226 §5.3
    return String(truncated % 1e8).padStart(8, "0");
  }
}

function decodeBase32(text) {
  const digits = text.replace(/\s/g, "").toUpperCase().replace(/=+$/, "");
  if (!/^[A-Z2-7]+$/.test(digits)) throw new Error("the OTP seed is not base32");
  const bits = Array.from(digits, (c) => BASE32.indexOf(c).toString(2).padStart(5, "0")).join("");
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((octet) => parseInt(octet, 2)));
}

const randomNonce = () => Array.from({ length: 32 }, () => randomInt(10)).join("");

// credentials returns what the credentials URL answers for this user. Each call makes a new token.
export function credentials(key, userId, domain, foldCase = false) {
  const name = localpart(userId, foldCase);
  return { jid: `${name}@${domain}`, password: key.token(name, domain) };
}

// credentialsHandler returns a listener for node:http, which also fits Express. userId(request) returns the id of the
// user who is logged in, or null, or a promise of it; report(error) is told of users who cannot have an account.
export function credentialsHandler({ key, domain, userId, foldCase = false, report = console.error }) {
  return async (request, response) => {
    const answer = (status, body) => {
      response.writeHead(status, {
        "Content-Type": "application/json; charset=utf-8",
        "Cache-Control": "no-store", // the answer is a login
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        ...(status === 405 && { Allow: "GET" }),
      });
      response.end(JSON.stringify(body));
    };
    try {
      if (request.method !== "GET") return answer(405, { error: "use GET" });
      // Browsers say by this header which page asks. Pages of other origins cannot read the answer; this is a second lock.
      if (!["same-origin", "none", undefined].includes(request.headers["sec-fetch-site"])) {
        return answer(403, { error: "for pages of this site alone" });
      }
      const id = await userId(request);
      if (id == null) return answer(403, { error: "log in to the site first" });
      return answer(200, credentials(key, String(id), domain, foldCase));
    } catch (error) {
      report(error);
      if (error instanceof UserIdError) return answer(403, { error: "this user id cannot have a chat account" });
      return answer(500, { error: "see the log of the site" });
    }
  };
}
