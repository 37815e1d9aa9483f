"""Runs the command that ends chats and removes accounts, in a thread of its own: no page waits for it.

The command gets one more argument, revoke or remove, and names on its standard input, one a line. It must be content
with names that are done already.
"""
import logging
import subprocess
import threading
from collections import deque

log = logging.getLogger(__name__)

REVOKE = "revoke"
REMOVE = "remove"

TIMEOUT_SECONDS = 60
WAITS_SECONDS = (0, 5, 60)  # before each attempt
MAX_WAITING = 10000  # names
MAX_BATCH = 100  # names in one command
MAX_COMPLAINT = 500  # characters of a command's standard error in the log


class Queue:
    """Names that wait for the command. put may be called from any thread."""

    def __init__(self, waits=WAITS_SECONDS):
        self._waits = waits
        self._changed = threading.Condition()
        self._waiting = deque()
        self._busy = False
        self._thread = None

    def put(self, command, verb, name):
        """Have the command run for this name. It never raises: what cannot be done is logged, with the name."""
        with self._changed:
            if len(self._waiting) >= MAX_WAITING:
                log.error("%s of %r is left undone: %d names wait", verb, name, MAX_WAITING)
                return
            self._waiting.append((tuple(command), verb, name))
            # Here and not at import: servers fork after it.
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="xtokend-leaving", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def join(self, timeout):
        """Wait until nothing waits; False if that takes longer than timeout seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and not self._busy, timeout)

    def _run(self):
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
                command, verb, name = self._waiting.popleft()
                names = [name]
                while self._waiting and self._waiting[0][:2] == (command, verb) and len(names) < MAX_BATCH:
                    names.append(self._waiting.popleft()[2])
                self._busy = True
            try:
                self._attempt(command, verb, names)
            except Exception:
                log.exception("%s of %r is left undone", verb, names)
            finally:
                with self._changed:
                    self._busy = False
                    self._changed.notify_all()

    def _attempt(self, command, verb, names):
        complaint = ""
        for wait in self._waits:
            if wait:
                threading.Event().wait(wait)
            try:
                done = subprocess.run(
                    [*command, verb],
                    input="".join(name + "\n" for name in names),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    encoding="utf-8",
                    errors="replace",
                    timeout=TIMEOUT_SECONDS,
                )
            except (OSError, subprocess.TimeoutExpired) as error:
                complaint = str(error)
                continue
            if done.returncode == 0:
                log.info("%s: %d names", verb, len(names))
                return
            complaint = "exit status %d: %s" % (done.returncode, done.stderr[:MAX_COMPLAINT].strip())
        log.error("%s of %r is left undone, do it by hand: leave_command: %s", verb, names, complaint)


queue = Queue()
