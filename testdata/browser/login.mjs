// Opens a page with converse.js, and ends when that shows its contacts: it has logged in.
//
// node login.mjs URL RULE…
//
// RULE is one of Chromium's for names, "MAP www.example.org 127.0.0.1" say. TIMEOUT, in
// milliseconds, bounds the wait. Certificates are not looked at.
import { online } from "./actions.mjs";
import { launch } from "./chromium.mjs";

const [url, ...rules] = process.argv.slice(2);
const browser = await launch(...rules);
const context = await browser.newContext({ ignoreHTTPSErrors: true });
context.setDefaultTimeout(Number(process.env.TIMEOUT ?? "60000"));
const page = await context.newPage();
page.on("console", (message) => console.log(message.text()));
page.on("pageerror", (error) => console.log(error.stack ?? String(error)));
await page.goto(url);
await online(page);
await browser.close();
