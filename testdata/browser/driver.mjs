// Browser windows with converse.js, which another program drives with one JSON
// object a line.
//
// Standard input: {"id": 1, "do": "open", "window": "alice", "url": …}. Every
// command gets one answer of its id, {"id": 1, "result": {…}} or
// {"id": 1, "error": …}; the commands on an open window are those of actions.mjs.
// Standard output, besides the answers: {"event": "wire"} shows a WebSocket
// message or a BOSH body, {"event": "console"} a warning of the page, and
// {"event": "fault"} what no page may do: fail without catching it, or send a
// request beyond this machine.
//
// It ends when standard input does. TIMEOUT, in milliseconds, bounds each wait.
import { createInterface } from "node:readline";
import { stripVTControlCharacters } from "node:util";
import * as actions from "./actions.mjs";
import { launch } from "./chromium.mjs";

const write = (object) => process.stdout.write(JSON.stringify(object) + "\n");

const windows = new Map();

const browser = await launch();

// Each window is a browser of its own to the pages in it: it shares no storage
// with another.
async function open({ window, url }) {
  const context = await browser.newContext();
  context.setDefaultTimeout(Number(process.env.TIMEOUT));
  const page = await context.newPage();
  windows.set(window, page);
  observe(page, (event, fields) => write({ event, window, ...fields }));
  await page.goto(url);
}

async function close({ window }) {
  const page = windows.get(window);
  windows.delete(window);
  await page.context().close();
}

function observe(page, emit) {
  const request = (url) => {
    const { protocol, hostname } = new URL(url);
    if (/^(http|ws)s?:$/.test(protocol) && !/^127(\.\d+){3}$/.test(hostname)) {
      emit("fault", { text: `the page asks for ${url}` });
    }
  };
  page.on("pageerror", (error) => emit("fault", { text: error.stack ?? String(error) }));
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) emit("console", { text: message.text() });
  });
  page.on("websocket", (socket) => {
    request(socket.url());
    socket.on("framesent", ({ payload }) => emit("wire", { sent: true, text: String(payload) }));
    socket.on("framereceived", ({ payload }) => emit("wire", { text: String(payload) }));
  });
  page.on("request", (sent) => {
    request(sent.url());
    if (isBOSH(sent)) emit("wire", { sent: true, text: sent.postData() ?? "" });
  });
  page.on("requestfinished", async (answered) => {
    if (!isBOSH(answered)) return;
    try {
      const response = await answered.response();
      emit("wire", { text: await response.text() });
    } catch {
      // The body went with the page, which is being loaded again or closed.
    }
  });
}

const isBOSH = (request) =>
  request.method() === "POST" && new URL(request.url()).pathname === "/http-bind";

async function run({ id, do: name, ...fields }) {
  const page = windows.get(fields.window);
  try {
    const act = { open, close }[name];
    const result = act ? await act(fields) : await actions[name](page, fields);
    write({ id, result: result ?? {} });
  } catch (error) {
    // The text of the page tells why a control never appeared.
    const shown = await windows.get(fields.window)?.innerText("body").catch(() => "");
    write({ id, error: `${stripVTControlCharacters(error.message)}\nThe page shows:\n${shown ?? ""}` });
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  run(JSON.parse(line));
}
await browser.close();
process.exit(0);
