"""The add-on in stand-ins for Plone; see standins.py for what is real."""
import json
import logging
import os
import re
import sys
import tempfile
import unittest

import standins
import transaction
from transaction.interfaces import TransientError
from zope.component import getGlobalSiteManager, getMultiAdapter
from zope.event import notify
from zope.interface import alsoProvides

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "src"))
standins.install()
state = standins.state

import xtokend_plone  # noqa: E402
from xtokend_plone import leaving  # noqa: E402

SEED, SECRET = "XVGR73KMZH2M4XMY", "JYXEX4IQOEYFYQ2S3MC5P4ZT4SDHYEA7"
TOKEN = re.compile(r"[0-9]{40} [A-Za-z0-9+/]{43}=\Z")
WAIT_SECONDS = 60

# A command of leave_command: it keeps what it is told in a file, a line of JSON each time.
RECORDER = "import json, sys; print(json.dumps([sys.argv[2], sys.stdin.read().split()]), file=open(sys.argv[1], 'a'))"


class Conflict:
    """A resource that another request has changed; see transaction.interfaces.IDataManager."""

    transaction_manager = transaction.manager

    def sortKey(self):
        return "conflict"

    def tpc_vote(self, txn):
        raise TransientError

    def _nothing(self, txn):
        pass

    tpc_begin = commit = tpc_finish = tpc_abort = abort = _nothing


class PloneTest(unittest.TestCase):
    def setUp(self):
        state.__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.recorded = os.path.join(self.folder.name, "recorded")
        self.configure(
            instance_name="Plone",
            xmpp_domain="example.org",
            otp_seed=SEED,
            token_secret=SECRET,
            leave_command='"%s" -c "%s" %s' % (sys.executable, RECORDER, self.recorded),
        )
        getGlobalSiteManager().__init__("base")
        self.addCleanup(transaction.abort)
        standins.load_zcml(xtokend_plone)

    def configure(self, **values):
        state.product_config = {"collective.converse": values}

    def change(self, **values):
        state.product_config["collective.converse"].update(values)

    def drop(self, *names):
        for name in names:
            del state.product_config["collective.converse"][name]

    def get(self, name, request=None):
        request = request or standins.Request()
        view = getMultiAdapter((state.site, request), name=name)
        return request.response, view(), view

    def done(self):
        """What leave_command was told."""
        self.assertTrue(leaving.queue.join(WAIT_SECONDS))
        if not os.path.exists(self.recorded):
            return []
        with open(self.recorded) as lines:
            return [json.loads(line) for line in lines]


class TestCredentials(PloneTest):
    def credentials(self, status=200, **request):
        response, body, _ = self.get("xmpp-credentials", standins.Request(**request))
        self.assertEqual((response.status, response.headers.get("Cache-Control")), (status, "no-store"))
        self.assertEqual(response.headers.get("Content-Type"), "application/json; charset=utf-8")
        self.assertNotIn("Access-Control-Allow-Origin", response.headers)
        answer = json.loads(body)
        if status != 200:
            self.assertEqual(list(answer), ["error"])
        return answer

    def test_the_user_gets_an_address_and_a_new_token_each_time(self):
        state.user_id = "Zoë Müller@Köln"
        self.change(fold_case="1")
        first, second = self.credentials(), self.credentials()
        self.assertEqual(sorted(first), ["jid", "password"])
        self.assertEqual(first["jid"], "zoë\\20müller\\40köln@example.org")
        self.assertRegex(first["password"], TOKEN)
        self.assertNotEqual(first["password"], second["password"])

    def test_everybody_may_ask(self):
        self.assertEqual(self.get("xmpp-credentials")[2].permission, "zope2.View")

    def test_nobody_is_logged_in(self):
        self.credentials(403)

    def test_a_user_id_in_capitals_is_refused_unless_folded(self):
        state.user_id = "JSmith"
        with self.assertLogs("xtokend_plone", logging.WARNING) as logs:
            self.credentials(403)
        self.assertIn("set fold_case", logs.output[0])
        self.change(fold_case="1")
        self.assertEqual(self.credentials()["jid"], "jsmith@example.org")

    def test_another_site_of_the_same_zope_hands_out_no_tokens(self):
        state.user_id = "alice"
        state.site = standins.Site("Intranet")
        self.credentials(404)

    def test_pages_of_other_sites(self):
        state.user_id = "alice"
        for site, status in {"cross-site": 403, "same-site": 403, "same-origin": 200, "none": 200}.items():
            with self.subTest(site):
                self.credentials(status, headers={"Sec-Fetch-Site": site})

    def test_other_methods(self):
        state.user_id = "alice"
        self.credentials(405, method="POST")

    def test_faults_of_the_settings_are_in_the_log_alone(self):
        state.user_id = "alice"
        for fault, values in {
            "instance_name": {"instance_name": ""},
            "xmpp_domain": {"xmpp_domain": ""},
            "not base32": {"otp_seed": "no seed 1"},
            "printable ASCII": {"token_secret": "two words"},
            "fold_case": {"fold_case": "perhaps"},
        }.items():
            with self.subTest(fault):
                before = dict(state.product_config["collective.converse"])
                self.change(**values)
                with self.assertLogs("xtokend_plone", logging.ERROR) as logs:
                    self.credentials(500)
                self.assertIn(fault, logs.output[0])
                for hidden in (SEED, SECRET, "no seed 1", "two words"):
                    self.assertNotIn(hidden, logs.output[0])
                self.configure(**before)

    def test_no_settings_at_all(self):
        state.user_id = "alice"
        for config in (None, {}):
            state.product_config = config
            with self.assertLogs("xtokend_plone", logging.ERROR):
                self.credentials(500)

    def test_the_domain_may_be_in_the_registry(self):
        state.user_id = "alice"
        self.drop("xmpp_domain")
        state.record = "example.net"
        self.assertEqual(self.credentials()["jid"], "alice@example.net")

    def test_a_key_in_files_may_change_without_a_restart(self):
        state.user_id = "alice"
        self.drop("otp_seed", "token_secret")
        files = {}
        for name, text in {"otp_seed_file": SEED, "token_secret_file": SECRET}.items():
            files[name] = os.path.join(self.folder.name, name)
            with open(files[name], "w") as file:
                file.write(text + "\n")
        self.change(**files)
        self.assertRegex(self.credentials()["password"], TOKEN)
        os.remove(files["otp_seed_file"])
        with self.assertLogs("xtokend_plone", logging.ERROR):
            self.credentials(500)

    def test_the_view_of_collective_converse_is_replaced(self):
        class Theirs(standins.BrowserView):
            def __call__(self):
                return "theirs"

        layer = standins.ICollectiveConverseLayer
        standins.module("collective.converse.browser.interfaces", ICollectiveConverseLayer=layer)
        standins.module("collective.converse.browser.views", XMPPCredentials=Theirs)
        self.addCleanup(lambda: [sys.modules.pop(m) for m in list(sys.modules) if m.startswith("collective")])
        getGlobalSiteManager().__init__("base")
        standins.load_zcml(xtokend_plone, os.path.join(os.path.dirname(os.path.abspath(__file__)), "converse.zcml"))
        state.user_id = "alice"
        request = standins.Request()
        alsoProvides(request, standins.ICollectiveConverseLayer)
        self.assertEqual(json.loads(self.get("xmpp-credentials", request)[1])["jid"], "alice@example.org")


class TestUserIds(PloneTest):
    def test_names_one_a_line_and_problems_in_comments(self):
        state.site = standins.Site(
            "Plone", ["alice", "JSmith", "jsmith", "alice@example.com", "space cadet", "strauß", "Zoë", "#1", "alice"]
        )
        self.change(fold_case="1")
        response, body, view = self.get("xmpp-user-ids")
        self.assertEqual(view.permission, "cmf.ManagePortal")
        self.assertEqual(response.headers["Cache-Control"], "no-store")
        lines = body.splitlines()
        comments = [line for line in lines if line.startswith("#")]
        self.assertEqual(
            [line for line in lines if line not in comments],
            [
                "alice@example.org",
                "alice\\40example.com@example.org",
                "space\\20cadet@example.org",
                "zoë@example.org",
            ],
        )
        self.assertEqual(len(comments), 3, comments)
        for text in ("'JSmith', 'jsmith' would share", "strauß", "'#1'"):
            self.assertTrue(any(text in comment for comment in comments), (text, comments))

    def test_another_site(self):
        state.site = standins.Site("Intranet", ["alice"])
        response, body, _ = self.get("xmpp-user-ids")
        self.assertEqual(response.status, 404)
        self.assertNotIn("alice", body)

    def test_a_line_end_in_a_user_id_begins_no_line(self):
        state.site = standins.Site("Plone", ["a\nmallory"])
        for line in self.get("xmpp-user-ids")[1].splitlines():
            self.assertTrue(line.startswith("# "), line)


class TestLeaving(PloneTest):
    def test_a_deleted_user_is_removed_when_the_transaction_is_committed(self):
        notify(standins.PrincipalDeleted("alice@example.com"))
        self.assertEqual(self.done(), [])
        transaction.commit()
        self.assertEqual(self.done(), [["remove", ["alice\\40example.com"]]])

    def test_a_deletion_that_is_undone(self):
        notify(standins.PrincipalDeleted("alice"))
        transaction.abort()
        transaction.commit()
        self.assertEqual(self.done(), [])

    def test_a_commit_that_fails(self):
        notify(standins.PrincipalDeleted("alice"))
        transaction.get().join(Conflict())
        with self.assertRaises(TransientError), self.assertLogs("txn"):
            transaction.commit()
        transaction.abort()
        self.assertEqual(self.done(), [])

    def test_a_logout_ends_the_chat(self):
        notify(standins.UserLoggedOutEvent(standins.User("zoë")))
        transaction.commit()
        self.assertEqual(self.done(), [["revoke", ["zoë"]]])

    def test_nobody_logs_out(self):
        notify(standins.UserLoggedOutEvent(standins.User(None)))
        transaction.commit()
        self.assertEqual(self.done(), [])

    def test_a_logout_may_leave_the_chat_alone(self):
        self.change(leave_at_logout="0")
        notify(standins.UserLoggedOutEvent(standins.User("alice")))
        notify(standins.PrincipalDeleted("bob"))
        transaction.commit()
        self.assertEqual(self.done(), [["remove", ["bob"]]])

    def test_users_of_another_site(self):
        for site in standins.Site("Intranet"), None:  # None: of Zope itself
            state.site = site
            notify(standins.PrincipalDeleted("alice"))
            notify(standins.UserLoggedOutEvent(standins.User("alice")))
        transaction.commit()
        self.assertEqual(self.done(), [])

    def test_no_command(self):
        self.drop("leave_command")
        notify(standins.PrincipalDeleted("alice"))
        transaction.commit()
        self.assertEqual(self.done(), [])

    def test_a_user_who_could_not_chat(self):
        notify(standins.PrincipalDeleted("strauß"))
        transaction.commit()
        self.assertEqual(self.done(), [])

    def test_a_fault_of_the_settings_keeps_nobody_from_leaving(self):
        for values in ({"instance_name": ""}, {"leave_command": 'a "b'}, {"leave_at_logout": "perhaps"}):
            with self.subTest(values), self.assertLogs("xtokend_plone", logging.ERROR):
                self.change(**values)
                notify(standins.UserLoggedOutEvent(standins.User("alice")))
        transaction.commit()


if __name__ == "__main__":
    unittest.main()
