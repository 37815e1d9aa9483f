// X-TOKEN for @xmpp/client: the initial response of PLAIN (RFC 4616) with a
// one-time token in place of the password.
export default class XToken {
  response({ authzid = "", username, password }) {
    return `${authzid}\0${username}\0${password}`;
  }

  challenge() {}
}

// @xmpp/client reads both from the prototype, before it makes an instance.
XToken.prototype.name = "X-TOKEN";
XToken.prototype.clientFirst = true;
