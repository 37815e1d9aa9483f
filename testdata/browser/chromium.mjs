// Debian's Chromium, which finds no other machine than this one.
import { chromium } from "playwright-core";

// launch takes resolver rules beside those; it ends with the program that calls it.
export const launch = (...rules) =>
  chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: [
      "--no-sandbox", // Chromium's own does not work for root, nor in most containers
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      `--host-resolver-rules=${[...rules, "MAP * ~NOTFOUND", "EXCLUDE localhost", "EXCLUDE 127.*"].join(", ")}`,
    ],
  });
