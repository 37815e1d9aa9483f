// An XMPP client (strophe.js, over WebSocket or BOSH) that another program drives
// by the protocol of driver.mjs; the commands after a connection is up are those
// of commands.mjs, and:
//
// "unload" leaves the page: the answer is {"storage": …}, what the browser would
// keep, and the process ends without a goodbye.
// "restore" loads the page again with that storage, which BOSH continues without
// credentials; with WebSocket "connect" takes it, and resumes the stream.
import { Console } from "node:console";
import { EventEmitter } from "node:events";
import { xml } from "@xmpp/client";
import { Strophe } from "strophe.js";
import * as commands from "./commands.mjs";
import { askPassword, describe, emit, serve } from "./driver.mjs";
import { loadStorage, storage } from "./storage.mjs";
import XMLHttpRequest from "./xhr.mjs";

const CLIENT = "jabber:client";
const RECONNECT_DELAY = 50; // milliseconds

globalThis.XMLHttpRequest = XMLHttpRequest;
globalThis.console = new Console(process.stderr); // Strophe logs there
Strophe.setLogLevel(Strophe.LogLevel.WARN);

class StropheError extends Error {
  constructor(name, condition, text) {
    super(text);
    Object.assign(this, { name, condition: condition ?? "" });
  }
}

const stanzas = new EventEmitter();
stanzas.on("stanza", (stanza) => emit("stanza", { xml: stanza.toString() }));

let connection;
let stopping;
let stopped = () => {};

// What xtokend serves is what is tested.
async function xtoken(service) {
  const response = await fetch(new URL("/xtoken.js", service.replace(/^ws/, "http")));
  if (!response.ok) throw new Error(`/xtoken.js: HTTP status ${response.status}`);
  const module = await import(`data:text/javascript,${encodeURIComponent(await response.text())}`);
  return module.default(Strophe);
}

function newConnection(service, mechanisms) {
  connection = new Strophe.Connection(service, {
    keepalive: true,
    enableStreamManagement: true,
    mechanisms,
  });
  connection.sm.onEnabled = () => emit("enabled");
}

async function connect({ service, domain, username, mechanism, resource, storage }) {
  if (storage) loadStorage(storage);
  newConnection(service, [mechanism === "PLAIN" ? Strophe.SASLPlain : await xtoken(service)]);
  const jid = `${username}@${domain}${resource ? `/${resource}` : ""}`;
  return firstOutcome(async (changed) => {
    const logIn = async () => {
      const password = await askPassword();
      connection.reset();
      connection.connect(jid, password, changed(logIn));
    };
    await logIn();
  });
}

function restore({ service, storage }) {
  loadStorage(storage);
  newConnection(service);
  return firstOutcome((changed) => connection.restore(null, changed(() => {})));
}

// firstOutcome resolves when start has led to a session, and rejects when that
// has failed. It gives start what makes Strophe's callback of a function that
// connects anew.
async function firstOutcome(start) {
  let session = false;
  let waiting = false; // to connect anew
  let failure;
  stopping = false;
  return new Promise((resolve, reject) => {
    const fail = (error) => {
      failure ??= error;
      if (session) emit("error", { error: describe(error) });
    };
    const callback = (again) => (status, condition, element) => {
      switch (status) {
        case Strophe.Status.CONNECTED:
        case Strophe.Status.ATTACHED:
          for (const name of ["message", "presence", "iq"]) {
            connection.addHandler(receive, null, name);
          }
          session = true;
          failure = undefined;
          resolve({ jid: connection.jid });
          if (connection.restored) emit("resumed");
          else emit("online", { jid: connection.jid });
          break;
        case Strophe.Status.AUTHFAIL:
          fail(saslError(condition, element));
          connection.disconnect();
          break;
        case Strophe.Status.CONNFAIL:
        case Strophe.Status.ERROR:
          fail(new StropheError("StreamError", condition, `status ${status}`));
          break;
        case Strophe.Status.DISCONNECTED:
          emit("disconnect");
          if (stopping) stopped();
          else if (!session) {
            reject(failure ?? new StropheError("Error", condition, "disconnected"));
          } else if (!waiting) {
            // Strophe says it twice of a WebSocket that could not be opened.
            waiting = true;
            setTimeout(() => {
              waiting = false;
              again();
            }, RECONNECT_DELAY);
          }
          break;
      }
    };
    Promise.resolve(start(callback)).catch(reject);
  });
}

function saslError(condition, failure) {
  const element = failure && toXML(failure);
  const child = element?.getChildElements().find(({ name }) => name !== "text");
  return new StropheError("SASLError", child?.name ?? condition, element?.getChildText("text"));
}

function receive(element) {
  stanzas.emit("stanza", toXML(element));
  return true; // stay
}

// What commands.mjs needs of the entity of @xmpp/client.
const entity = {
  on: stanzas.on.bind(stanzas),
  off: stanzas.off.bind(stanzas),
  send: async (stanza) => connection.send(toDOM(stanza)),
  iqCaller: {
    request: (iq) =>
      new Promise((resolve, reject) => {
        connection.sendIQ(
          toDOM(iq),
          (answer) => resolve(toXML(answer)),
          (answer) => reject(stanzaError(answer)),
        );
      }),
    get: async (child) => {
      const answer = await entity.iqCaller.request(xml("iq", { type: "get" }, child));
      return answer.getChild(child.name, child.getNS());
    },
  },
};

function stanzaError(iq) {
  const error = toXML(iq).getChild("error");
  return new StropheError("StanzaError", error?.getChildElements()[0]?.name, error?.toString());
}

function toDOM(stanza) {
  stanza.attrs.xmlns ??= CLIENT;
  return new DOMParser().parseFromString(stanza.toString(), "text/xml").documentElement;
}

function toXML(node) {
  const attributes = Object.fromEntries(
    Array.from(node.attributes, ({ name, value }) => [name, value]),
  );
  const children = Array.from(node.childNodes, (child) =>
    child.nodeType === child.ELEMENT_NODE ? toXML(child) : child.nodeValue,
  );
  return xml(node.nodeName, attributes, ...children);
}

function stop() {
  stopping = true;
  return new Promise((resolve) => {
    stopped = resolve;
    connection.disconnect();
  });
}

// A page that goes away takes its requests and sockets with it.
function unload() {
  setImmediate(() => process.exit(0));
  return { storage };
}

const own = { connect, restore, stop, unload };

await serve((name, fields) =>
  name in own ? own[name](fields) : commands[name](entity, fields),
);
