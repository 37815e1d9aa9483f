// The page of one user: converse.js, with a token from the credentials URL for
// each login, and the two buttons above it.
import "/converse/converse.min.js";

const page = JSON.parse(document.getElementById("page").textContent);
const address = (name) => `${name}@${page.domain}`;

const settings = {
  authentication: "login",
  auto_login: true,
  credentials_url: `/credentials?name=${encodeURIComponent(page.name)}`,
  discover_connection_methods: false,
  assets_path: "/converse/",
  view_mode: "embedded",
  auto_insert: false, // converse-root is in the page
  nickname: page.name,
  allow_logout: false, // nobody could type the password to log in again
  auto_subscribe: true, // whoever wants to be a contact is one
  play_sounds: false,
  persistent_store: "sessionStorage", // nothing stays in the browser either
  // Lists that it would fetch from servers of its makers.
  autocomplete_providers_url: "",
  xmpp_providers_url: "",
  muc_search_service: "",
  // Its keys take longer to make than all the rest.
  blacklisted_plugins: ["converse-omemo", "converse-omemo-views"],
  whitelisted_plugins: ["xtokend-demo"],
};

if (page.transport === "bosh") {
  settings.bosh_service_url = "/http-bind";
} else {
  settings.websocket_url = `ws://${location.host}/xmpp-websocket`;
}
if (page.mechanism === "X-TOKEN") {
  const { default: xtoken } = await import("/xtoken.js");
  settings.connection_options = { mechanisms: [xtoken(converse.env.Strophe)] };
}

// Whom this window has opened another for: the chat opens when they are there.
const awaited = new Set();

// Who is to be a contact. A demonstration that was started anew knows of none, nor
// whoever has not come back yet: so both sides ask.
const contacts = new Set(page.peer ? [address(page.peer)] : []);

converse.plugins.add("xtokend-demo", {
  initialize() {
    const { api } = this._converse;

    api.listen.on("rosterContactsFetched", async () => {
      for (const jid of contacts) {
        if (!(await api.contacts.get(jid))) await api.contacts.add({ jid, name: jid.slice(0, jid.lastIndexOf("@")) });
      }
      if (page.peer) api.chats.open(address(page.peer), {}, true);
    });

    api.listen.on("contactPresenceChanged", (contact) => {
      const jid = contact.get("jid");
      if (contact.presence.getStatus() === "offline" || jid === address(page.name)) return;
      contacts.add(jid);
      if (awaited.delete(jid)) api.chats.open(jid, {}, true);
    });

    document.getElementById("another").addEventListener("submit", ({ target }) => {
      awaited.add(address(target.elements.name.value.trim().toLowerCase()));
    });

    const room = document.getElementById("room");
    if (!room) return;
    room.addEventListener("click", () => api.rooms.open(page.room, { nick: page.name }, true));
    api.listen.on("connected", () => {
      room.disabled = false;
    });
  },
});

converse.initialize(settings);
