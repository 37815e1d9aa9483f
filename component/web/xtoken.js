// The SASL mechanism X-TOKEN for converse.js and strophe.js: a one-time token in
// place of the password. Give it to either as connection option:
//
//   mechanisms: [xtoken(converse.env.Strophe)]   // converse.js: in connection_options
//   mechanisms: [xtoken(Strophe)]                // strophe.js: of Strophe.Connection
export default function xtoken(Strophe) {
  // The message is PLAIN's (RFC 4616): authzid, NUL, authcid, NUL, token.
  return class SASLXToken extends Strophe.SASLPlain {
    constructor(mechname = "X-TOKEN", isClientFirst = true, priority = 80) {
      super(mechname, isClientFirst, priority);
    }
  };
}
