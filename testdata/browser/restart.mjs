// Two windows of `xtokend demo` stay open while it ends and starts anew: with new
// keys, and without anything that it knew. They come back by themselves.
//
// node restart.mjs URL websocket|bosh
//
// It writes "chatting" when the demonstration may be started anew. TIMEOUT, in milliseconds, bounds all of it.
import * as actions from "./actions.mjs";
import { launch } from "./chromium.mjs";

const [url, transport] = process.argv.slice(2);
const { TIMEOUT = "60000" } = process.env;
const address = (name) => `${name}@localhost`;

const browser = await launch();

// Ended by this, Node ends Chromium too.
setTimeout(() => {
  console.error("restart.mjs: it takes too long");
  process.exit(1);
}, Number(TIMEOUT)).unref();

const context = await browser.newContext();
context.setDefaultTimeout(Number(TIMEOUT) - 5000);

async function open(query) {
  const page = await context.newPage();
  await page.goto(`${url}/chat?${query}&transport=${transport}`);
  await actions.online(page);
  return page;
}

// back returns when the user of a page has logged in again and is seen by others.
function back(page) {
  return new Promise((resolve) => {
    let asked = false;
    const see = (sent) => {
      if (asked && sent?.includes("<presence")) resolve();
    };
    page.on("response", (answer) => {
      asked ||= answer.url().includes("/credentials?");
    });
    page.on("request", (request) => see(request.postData()));
    page.on("websocket", (socket) => socket.on("framesent", ({ payload }) => see(String(payload))));
  });
}

async function chat(alice, bob, greeting) {
  await actions.seeStatus(alice, { jid: address("bob"), status: "online" });
  await actions.seeStatus(bob, { jid: address("alice"), status: "online" });
  await actions.say(bob, { jid: address("alice"), body: greeting });
  await actions.seeMessage(alice, { jid: address("bob"), body: greeting });
  await actions.say(alice, { jid: address("bob"), body: `Re: ${greeting}` });
  await actions.seeMessage(bob, { jid: address("alice"), body: `Re: ${greeting}` });
}

const alice = await open("name=alice");
const bob = await open("name=bob&with=alice");
try {
  await actions.seeStatus(alice, { jid: address("bob"), status: "online" });
  await actions.openChat(alice, { jid: address("bob") });
  await chat(alice, bob, "hello");
  const aliceBack = back(alice);
  const bobBack = back(bob);
  // Alice comes last: whoever asks her to be a contact before asks nobody.
  await alice.route("**/credentials?*", async (route) => {
    await bobBack;
    await route.continue();
  });
  console.log("chatting");
  await aliceBack;
  await chat(alice, bob, "still there?");
} catch (error) {
  for (const page of context.pages()) console.error(`${page.url()} shows:\n${await page.innerText("body")}\n`);
  throw error;
}
await browser.close();
