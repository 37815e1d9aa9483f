// What the web site does that signs tokens: an issuer with a key of its own.
import { createHmac, randomInt } from "node:crypto";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"; // base32 (RFC 4648 §6)

function decodeBase32(text) {
  const bits = [...text].map((c) => ALPHABET.indexOf(c).toString(2).padStart(5, "0")).join("");
  return Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
}

// TOTP (RFC 6238): 8 digits, HMAC-SHA-1, steps of 30 seconds.
function totp(seed, seconds) {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(seconds / 30)));
  const hash = createHmac("sha1", decodeBase32(seed)).update(counter).digest();
  const truncated = hash.readUInt32BE(hash.at(-1) & 0xf) & 0x7fffffff;
  return String(truncated % 1e8).padStart(8, "0");
}

// issue returns a token, for one login of the user with that bare JID. The token
// secret is used as it is written, not decoded.
export function issue(jid, { otpSeed, tokenSecret }) {
  const nonce = Array.from({ length: 32 }, () => randomInt(10)).join("");
  const otp = totp(otpSeed, Date.now() / 1000);
  const signature = createHmac("sha256", tokenSecret).update(otp + nonce + jid).digest("base64");
  return `${otp}${nonce} ${signature}`;
}
