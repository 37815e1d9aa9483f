// What a person does in a window with converse.js, by the controls that it
// shows, and what the person then sees. Every function takes the Playwright page
// and the command's fields; its result is the command's answer.

// An address may hold a backslash (XEP-0106). A string of JSON is one of CSS, too.
const chatbox = (page, jid) =>
  page.locator(`converse-chat[jid=${JSON.stringify(jid)}], converse-muc[jid=${JSON.stringify(jid)}]`);

const textarea = (page, jid) => chatbox(page, jid).locator("textarea.chat-textarea");

// online returns when converse.js shows the contacts.
export async function online(page) {
  await page.locator("converse-roster .open-contacts-toggle").waitFor();
}

export async function reload(page) {
  await page.reload();
}

export async function addContact(page, { jid }) {
  await page.locator(".dropdown--contacts button").click();
  await page.locator(".dropdown--contacts .add-contact").click();
  const form = page.locator("form.add-xmpp-contact");
  await form.locator("input[name=jid]").fill(jid);
  await form.getByRole("button", { name: "Add" }).click();
  await form.waitFor({ state: "hidden" });
}

// seeStatus waits until the contact is shown to be online, busy, away or offline.
export async function seeStatus(page, { jid, status }) {
  await page
    .locator(`converse-roster a[data-jid=${JSON.stringify(jid)}] converse-icon[title="This contact is ${status}"]`)
    .waitFor();
}

export async function setBusy(page) {
  await page.locator("a.change-status").click();
  const profile = page.locator("converse-profile-modal");
  await profile.getByLabel("Busy").check();
  await profile.getByRole("button", { name: "Set status" }).click();
  await profile.locator(".modal-footer").getByRole("button", { name: "Close" }).click();
  await profile.waitFor({ state: "hidden" });
}

export async function openChat(page, { jid }) {
  await page.locator(`converse-roster a[data-jid=${JSON.stringify(jid)}]`).click();
  await textarea(page, jid).waitFor();
}

// followLink opens a chat or a room by a link, as a site's pages may have them. It
// makes the room if there is none.
export async function followLink(page, { to, jid }) {
  await page.evaluate((link) => {
    location.hash = link;
  }, `#converse/${to}?jid=${jid}`);
  await textarea(page, jid).waitFor();
}

export async function seeOccupant(page, { jid, nick }) {
  await chatbox(page, jid).locator(".occupant-nick").getByText(nick, { exact: true }).waitFor();
}

export async function say(page, { jid, body }) {
  await textarea(page, jid).fill(body);
  await textarea(page, jid).press("Enter");
}

// seeMessage waits until the chat shows that text, and tells from whom it is and
// how often it is there.
export async function seeMessage(page, { jid, body }) {
  const messages = chatbox(page, jid).locator(".chat-msg", {
    has: page.locator(".chat-msg__text").getByText(body, { exact: true }),
  });
  await messages.first().waitFor();
  return { from: await messages.first().getAttribute("data-from"), count: await messages.count() };
}

export async function logOut(page) {
  await page.locator("a.show-profile").click();
  await page.getByRole("button", { name: "Log out" }).click();
  await page.locator("converse-confirm-modal button[type=submit]").click();
  await page.locator("converse-login-form").waitFor();
}
