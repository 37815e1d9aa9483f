// What a person does with a chat client, as one function each. Every function
// takes the @xmpp/client entity and the command's fields, and its result is the
// command's answer.
import { xml } from "@xmpp/client";

const MUC = "http://jabber.org/protocol/muc";
const MUC_OWNER = "http://jabber.org/protocol/muc#owner";
const MAM = "urn:xmpp:mam:2";
const RSM = "http://jabber.org/protocol/rsm";
const FORWARD = "urn:xmpp:forward:0";
const DATA = "jabber:x:data";
const ROSTER = "jabber:iq:roster";

const chat = (to, body, type, id) =>
  xml("message", { to, type, id }, xml("body", {}, body));

const field = (name, value, type) =>
  xml("field", { var: name, type }, xml("value", {}, value));

export async function message(client, { to, body, stanzaId }) {
  await client.send(chat(to, body, "chat", stanzaId));
}

export async function presence(client, { to, type, show }) {
  await client.send(
    xml("presence", { to, type }, show && xml("show", {}, show)),
  );
}

// The first to join makes the room, which stays locked until its owner submits
// a configuration (XEP-0045 §10.1.3).
export async function join(client, { room, nick, persistent }) {
  const answer = firstStanza(
    client,
    (stanza) =>
      stanza.is("presence") && stanza.attrs.from === `${room}/${nick}`,
  );
  await client.send(
    xml("presence", { to: `${room}/${nick}` }, xml("x", { xmlns: MUC })),
  );
  const self = await answer;
  if (self.attrs.type === "error") throw new Error(self.toString());
  const codes = self
    .getChild("x", `${MUC}#user`)
    .getChildren("status")
    .map((status) => status.attrs.code);
  if (codes.includes("201")) {
    await client.iqCaller.request(
      xml(
        "iq",
        { type: "set", to: room },
        xml(
          "query",
          { xmlns: MUC_OWNER },
          xml(
            "x",
            { xmlns: DATA, type: "submit" },
            field("FORM_TYPE", `${MUC}#roomconfig`, "hidden"),
            field("muc#roomconfig_persistentroom", persistent ? "1" : "0"),
          ),
        ),
      ),
    );
  }
  return { created: codes.includes("201") };
}

export async function say(client, { room, body, stanzaId }) {
  await client.send(chat(room, body, "groupchat", stanzaId));
}

export async function rosterGet(client) {
  const query = await client.iqCaller.get(xml("query", { xmlns: ROSTER }));
  return {
    items: query.getChildren("item").map(({ attrs }) => ({
      jid: attrs.jid,
      name: attrs.name ?? "",
      subscription: attrs.subscription,
    })),
  };
}

export async function rosterSet(client, { jid, name }) {
  await client.iqCaller.request(
    xml(
      "iq",
      { type: "set" },
      xml("query", { xmlns: ROSTER }, xml("item", { jid, name })),
    ),
  );
}

// The newest hundred archived messages (XEP-0313) with one contact, or of a
// room when `to` names it.
export async function archive(client, { to, with: contact }) {
  const queryid = `archive-${++archiveQueries}`;
  const messages = [];
  const collect = (stanza) => {
    const result = stanza.getChild("result", MAM);
    if (result?.attrs.queryid !== queryid) return;
    const forwarded = result.getChild("forwarded", FORWARD);
    const archived = forwarded.getChild("message");
    messages.push({
      from: archived.attrs.from,
      to: archived.attrs.to ?? "",
      body: archived.getChildText("body") ?? "",
    });
  };
  client.on("stanza", collect);
  try {
    await client.iqCaller.request(
      xml(
        "iq",
        { type: "set", to },
        xml(
          "query",
          { xmlns: MAM, queryid },
          xml(
            "x",
            { xmlns: DATA, type: "submit" },
            field("FORM_TYPE", MAM, "hidden"),
            contact && field("with", contact),
          ),
          xml("set", { xmlns: RSM }, xml("max", {}, "100"), xml("before")),
        ),
      ),
    );
  } finally {
    client.off("stanza", collect);
  }
  return { messages };
}

let archiveQueries = 0;

function firstStanza(client, wanted) {
  return new Promise((resolve) => {
    const look = (stanza) => {
      if (!wanted(stanza)) return;
      client.off("stanza", look);
      resolve(stanza);
    };
    client.on("stanza", look);
  });
}
