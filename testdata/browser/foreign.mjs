// What a page of somebody else can do to `xtokend demo`: nothing. It tries to read a
// token, to connect, and to open a chat, from another port of this machine, and
// under a name that is made to lead to the demonstration (DNS rebinding).
//
// The address is in XTOKEND_URL, as `xtokend demo -- COMMAND` gives it. TIMEOUT, in
// milliseconds, bounds all of it.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { launch } from "./chromium.mjs";

const { XTOKEND_URL: url, TIMEOUT = "60000" } = process.env;

const browser = await launch("MAP rebound.example 127.0.0.1");

// Ended by this, Node ends Chromium too.
setTimeout(() => {
  console.error("foreign.mjs: it takes too long");
  process.exit(1);
}, Number(TIMEOUT)).unref();

const context = await browser.newContext();
context.setDefaultTimeout(Number(TIMEOUT));

const site = createServer((_, answer) => {
  answer.setHeader("Content-Type", "text/html");
  answer.end("<!doctype html><title>a page of somebody else</title><body>");
});
site.listen(0, "127.0.0.1");
await once(site, "listening");
const foreign = `http://localhost:${site.address().port}`;

// tries are run in a page. Each tells what it got, or fails.
const tries = {
  "read the credentials": (target) => fetch(`${target}/credentials?name=alice`).then((answer) => answer.text()),
  "have the credentials sent": (target) => fetch(`${target}/credentials?name=alice`, { mode: "no-cors" }).then((answer) => answer.type),
  "run the credentials": (target) => load("script", { src: `${target}/credentials?name=alice` }),
  "show the credentials": (target) => load("img", { src: `${target}/credentials?name=alice` }),
  "import the mechanism": (target) => import(`${target}/xtoken.js`).then(() => "imported"),
  "open a WebSocket": (target) =>
    new Promise((resolve, reject) => {
      const socket = new WebSocket(`${target.replace("http", "ws")}/xmpp-websocket`, "xmpp");
      socket.onopen = () => resolve("open");
      socket.onerror = reject;
    }),
  "begin a BOSH session": (target) =>
    fetch(`${target}/http-bind`, {
      method: "POST",
      headers: { "Content-Type": "text/xml; charset=utf-8" },
      body: "<body xmlns='http://jabber.org/protocol/httpbind' rid='1' to='localhost' wait='1' hold='1' ver='1.6'/>",
    }).then((answer) => answer.text()),
  "begin one without asking first": (target) =>
    fetch(`${target}/http-bind`, {
      method: "POST",
      mode: "no-cors",
      body: "<body xmlns='http://jabber.org/protocol/httpbind' rid='1' to='localhost' wait='1' hold='1' ver='1.6'/>",
    }).then((answer) => answer.type),
};

const load = (name, attributes) =>
  new Promise((resolve, reject) => {
    const element = Object.assign(document.createElement(name), attributes);
    element.onload = () => resolve("loaded");
    element.onerror = reject;
    document.body.append(element);
  });

const attempt = async (page, what) =>
  page.evaluate(`(${tries[what]})(${JSON.stringify(url)}).catch(() => "refused")`);

// The tries are good: from the demonstration itself they get what they want, but
// that credentials are neither script nor picture.
const own = await context.newPage();
await own.goto(`${url}/chat.js`);
await own.evaluate(`window.load = ${load}`);
for (const what of Object.keys(tries)) {
  const got = await attempt(own, what);
  assert.equal(got === "refused", /^(run|show) /.test(what), `its own page could ${what}: ${got}`);
}
await own.close();

const page = await context.newPage();
const answers = [];
page.on("response", (response) => {
  if (response.url().startsWith(url)) answers.push(`${response.status()} ${new URL(response.url()).pathname}`);
});
await page.goto(foreign);
await page.evaluate(`window.load = ${load}`);
for (const what of Object.keys(tries)) {
  const got = await attempt(page, what);
  // What it gets of an answer that it may not read does not tell what that was.
  assert.ok(["refused", "opaque"].includes(got), `a page of ${foreign} could ${what}: ${got}`);
}
assert.ok(answers.includes("403 /http-bind") && answers.every((answer) => answer.startsWith("403 ")), answers.join("\n"));

// A link, a window and a frame lead to no chat.
const visit = async (what, act) => {
  const answered = context.waitForEvent("response", (response) => response.url().startsWith(`${url}/chat`));
  await act();
  assert.equal((await answered).status(), 403, `a page of ${foreign} could ${what}`);
};
await visit("open the chat in a window", () => page.evaluate((to) => void open(to), `${url}/chat?name=alice`));
await visit("open the chat in a frame", () =>
  page.evaluate((src) => document.body.append(Object.assign(document.createElement("iframe"), { src })), `${url}/chat?name=alice`),
);
await visit("send somebody to the chat", () =>
  page.evaluate((href) => {
    const link = document.body.appendChild(Object.assign(document.createElement("a"), { href }));
    link.click();
  }, `${url}/chat?name=alice`),
);

// Nor does the demonstration answer to another name.
const rebound = await context.newPage();
for (const path of ["/", "/chat?name=alice", "/credentials?name=alice", "/xtoken.js", "/http-bind", "/xmpp-websocket"]) {
  const answer = await rebound.goto(url.replace("localhost", "rebound.example") + path);
  assert.equal(answer.status(), 421, path);
}

await browser.close();
site.close();
