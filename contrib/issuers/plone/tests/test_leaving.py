"""The queue of those who leave, without Plone."""
import logging
import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "src"))

from xtokend_plone import leaving  # noqa: E402

WAIT_SECONDS = 60
SCRIPT = """
import os, sys
folder, fail = sys.argv[1], int(sys.argv[2])
verb, names = sys.argv[3], sys.stdin.read().split()
n = len(os.listdir(folder))
open(os.path.join(folder, str(n)), "w").write(verb + " " + " ".join(names))
if n < fail:
    sys.exit("the socket does not answer")
"""


class TestQueue(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.queue = leaving.Queue(waits=(0, 0, 0))

    def command(self, fail=0):
        return [sys.executable, "-c", SCRIPT, self.folder, str(fail)]

    def told(self):
        self.assertTrue(self.queue.join(WAIT_SECONDS))
        told = []
        for n in range(len(os.listdir(self.folder))):
            with open(os.path.join(self.folder, str(n))) as file:
                told.append(file.read())
        return told

    def test_a_failure_is_tried_again(self):
        with self.assertLogs("xtokend_plone", logging.INFO) as logs:
            self.queue.put(self.command(fail=2), leaving.REMOVE, "alice")
            self.assertEqual(self.told(), ["remove alice"] * 3)
        self.assertEqual([record.levelname for record in logs.records], ["INFO"])

    def test_a_failure_that_stays_is_logged_with_the_name_and_the_cause(self):
        with self.assertLogs("xtokend_plone", logging.ERROR) as logs:
            self.queue.put(self.command(fail=3), leaving.REVOKE, "alice")
            self.assertEqual(self.told(), ["revoke alice"] * 3)
        for text in ("revoke of ['alice'] is left undone", "the socket does not answer", "exit status 1"):
            self.assertIn(text, logs.output[0])

    def test_a_command_that_is_not_there(self):
        with self.assertLogs("xtokend_plone", logging.ERROR) as logs:
            self.queue.put([os.path.join(self.folder, "none")], leaving.REVOKE, "alice")
            self.assertEqual(self.told(), [])
        self.assertIn("No such file", logs.output[0])

    def test_names_that_wait_go_together_in_order(self):
        names = ["user%d" % n for n in range(250)]
        with self.queue._changed:  # nothing is taken out before all are there
            for name in names:
                self.queue.put(self.command(), leaving.REVOKE, name)
            self.queue.put(self.command(), leaving.REMOVE, "last")
        self.assertEqual(leaving.MAX_BATCH, 100)
        batches = [names[:100], names[100:200], names[200:]]
        self.assertEqual(self.told(), ["revoke " + " ".join(batch) for batch in batches] + ["remove last"])

    def test_too_many_wait(self):
        self.queue._thread = unittest  # nothing is taken out
        for n in range(leaving.MAX_WAITING):
            self.queue.put(["true"], leaving.REVOKE, "user%d" % n)
        with self.assertLogs("xtokend_plone", logging.ERROR) as logs:
            self.queue.put(["true"], leaving.REVOKE, "one-more")
        self.assertIn("'one-more' is left undone", logs.output[0])


if __name__ == "__main__":
    unittest.main()
