// The accounts of a site's users: whose to make, and what to do when users leave.
import { execFile } from "node:child_process";
import { UserIdError, localpart } from "./xtoken.mjs";

const LEAVE_MS = 60_000;

// localparts returns the names for `xtokend accounts add`, and a line for each user id that is not among them. Of ids
// that would share an account none gets a name.
export function localparts(userIds, foldCase = false) {
  const owners = new Map();
  const names = [];
  const problems = [];
  for (const userId of userIds) {
    try {
      const name = localpart(userId, foldCase);
      owners.set(name, (owners.get(name) ?? new Set()).add(userId));
    } catch (error) {
      if (!(error instanceof UserIdError)) throw error;
      problems.push(error.message);
    }
  }
  for (const [name, ids] of owners) {
    if (ids.size > 1) {
      problems.push(`the user ids ${JSON.stringify([...ids])} would share the account ${name}`);
    } else if (name.startsWith("#")) { // a comment to `accounts add`
      problems.push(`the account of ${name} can be made at its first login alone`);
    } else {
      names.push(name);
    }
  }
  return { names: names.sort(), problems };
}

// leave has users leave the chat: it runs contrib/issuers/leave, as command (the program and its arguments; no shell
// reads them), with verb, which is revoke or remove, and with names as localpart returns them. It takes seconds. The
// promise is rejected with what the command complains of, if not all is done. Names that have left already do no harm.
export function leave([program, ...args], verb, names) {
  return new Promise((resolve, reject) => {
    const child = execFile(program, [...args, verb], { timeout: LEAVE_MS }, (error) => (error ? reject(error) : resolve()));
    child.stdin.on("error", () => {}); // of a command that has ended; its status says why
    child.stdin.end(names.map((name) => `${name}\n`).join(""));
  });
}
