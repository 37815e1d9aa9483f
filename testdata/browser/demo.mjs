// What a person does with the page of `xtokend demo`: types a name, opens a second
// user in another window, lets the two chat and meet in a room. It fails if any
// page does, asks for anything beyond the demonstration, or is kept from something
// by its own policy.
//
// node demo.mjs websocket|bosh X-TOKEN|PLAIN [PICTURE]
//
// The address is in XTOKEND_URL, as `xtokend demo -- COMMAND` gives it. With PICTURE
// it also writes one of the two windows to that file. TIMEOUT, in milliseconds,
// bounds all of it.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import * as actions from "./actions.mjs";
import { launch } from "./chromium.mjs";

const [transport, mechanism, picture] = process.argv.slice(2);
const { XTOKEND_URL: url, XTOKEND_DOMAIN: domain, TIMEOUT = "60000" } = process.env;
const address = (name) => `${name}@${domain}`;

const browser = await launch();

// One profile for both users, as in the browser of a developer.
const context = await browser.newContext({ viewport: { width: 860, height: 620 }, deviceScaleFactor: 1, colorScheme: "light" });
context.setDefaultTimeout(Number(TIMEOUT) / 3); // so that it can tell what it waited for

const faults = [];
const transports = new Set();
const request = (asked) => {
  const { protocol, host, pathname } = new URL(asked);
  if (["http:", "https:", "ws:", "wss:"].includes(protocol) && host !== new URL(url).host) faults.push(`asks for ${asked}`);
  if (["/xmpp-websocket", "/http-bind"].includes(pathname)) transports.add(pathname);
};
await context.exposeFunction("reportViolation", (text) => faults.push(`against its policy: ${text}`));
await context.addInitScript(() => {
  document.addEventListener("securitypolicyviolation", (event) => {
    window.reportViolation(`${event.effectiveDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`);
  });
});
context.on("page", (page) => {
  page.on("pageerror", (error) => faults.push(error.stack ?? String(error)));
  page.on("request", (sent) => request(sent.url()));
  page.on("websocket", (socket) => request(socket.url()));
});

// Ended by this, Node ends Chromium too.
setTimeout(() => {
  console.error("demo.mjs: it takes too long");
  process.exit(1);
}, Number(TIMEOUT)).unref();

// logIn types a name on the first page.
async function logIn(name) {
  const page = await context.newPage();
  await page.goto(url);
  await page.getByText("Anybody on this machine may log in as anybody").waitFor();
  await page.getByText("How to connect").click();
  await page.locator(`input[value="${transport}"]`).check();
  await page.locator(`input[value="${mechanism}"]`).check();
  await page.getByLabel("Type a name").fill(name);
  await page.getByRole("button", { name: "Chat" }).click();
  return page;
}

// openAnother opens the second user as the page suggests it, by one click.
async function openAnother(page) {
  const [opened] = await Promise.all([
    context.waitForEvent("page"),
    page.getByRole("button", { name: "Open in a new window" }).click(),
  ]);
  return opened;
}

async function seeFrom(page, chat, sender, body) {
  const message = await actions.seeMessage(page, { jid: chat, body });
  assert.equal(message.count, 1, `${body} is there ${message.count} times`);
  assert.ok(message.from.startsWith(`${sender}/`) || message.from === sender, `${body} is from ${message.from}`);
}

async function scenario() {
  const refused = await logIn("alice or bob");
  await refused.getByRole("alert").getByText("cannot be the name of a user").waitFor();
  await refused.close();

  const alice = await logIn("Alice");
  await actions.online(alice);
  const bob = await openAnother(alice);
  await actions.online(bob);

  // Neither has looked for the other: they are contacts, and the chat is open on
  // both sides. Until then converse.js may drop what comes.
  await actions.seeStatus(alice, { jid: address("bob"), status: "online" });
  await actions.seeStatus(bob, { jid: address("alice"), status: "online" });
  await actions.say(bob, { jid: address("alice"), body: "Hello Alice, here I am." });
  await seeFrom(alice, address("bob"), address("bob"), "Hello Alice, here I am.");
  await actions.say(alice, { jid: address("bob"), body: "Hello Bob. No password was needed." });
  await seeFrom(bob, address("alice"), address("alice"), "Hello Bob. No password was needed.");

  if (picture) {
    await actions.say(bob, { jid: address("alice"), body: "And no server was set up." });
    await seeFrom(alice, address("bob"), address("bob"), "And no server was set up.");
    await writeFile(picture, await sideBySide(alice, bob));
  }

  // A window that is loaded again goes on.
  await alice.reload();
  await actions.online(alice);
  await actions.say(bob, { jid: address("alice"), body: "Still there?" });
  await seeFrom(alice, address("bob"), address("bob"), "Still there?");

  const room = `lobby@rooms.${domain}`;
  await alice.getByRole("button", { name: "Join the room" }).click();
  await actions.seeOccupant(alice, { jid: room, nick: "alice" });
  await bob.getByRole("button", { name: "Join the room" }).click();
  await actions.seeOccupant(bob, { jid: room, nick: "alice" });
  await actions.seeOccupant(alice, { jid: room, nick: "bob" });
  await actions.say(bob, { jid: room, body: "Is there cake?" });
  await actions.say(alice, { jid: room, body: "There was." });
  for (const page of [alice, bob]) {
    await seeFrom(page, room, `${room}/bob`, "Is there cake?");
    await seeFrom(page, room, `${room}/alice`, "There was.");
  }
}

// sideBySide returns one picture of two windows.
async function sideBySide(...pages) {
  const shots = [];
  for (const page of pages) shots.push((await page.screenshot()).toString("base64"));
  const canvas = await browser.newPage({ viewport: { width: 1760, height: 640 }, deviceScaleFactor: 1 });
  await canvas.setContent(`<body style="margin:0;padding:10px;display:flex;gap:20px;background:#d8dce3">
    ${shots.map((shot) => `<img style="width:860px;height:620px" src="data:image/png;base64,${shot}">`).join("")}`);
  const shot = await canvas.screenshot();
  await canvas.close();
  return shot;
}

try {
  await scenario();
} catch (error) {
  // What the pages show tells why a control never appeared.
  for (const page of context.pages()) console.error(`${page.url()} shows:\n${await page.innerText("body")}\n`);
  console.error(faults);
  throw error;
}
assert.deepEqual(faults, []);
assert.deepEqual([...transports], [transport === "bosh" ? "/http-bind" : "/xmpp-websocket"]);
await browser.close();
