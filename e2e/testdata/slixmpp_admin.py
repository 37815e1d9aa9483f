"""Lets an administrator use the ad-hoc commands of xtokend's component link with slixmpp,
and others try to.

One JSON object on standard input: the "play", the "domain", the "authority" that signed
the server's certificate, the "version" that the component has, the "components", and the
"tokens" of each user, one for each login. "nodes" are the addresses, host and port, of
xtokend with direct TLS. Exit status 0 says that all of it worked.
"""
import asyncio
import json
import sys

import slixmpp
from slixmpp.exceptions import IqError

TIMEOUT = 40  # seconds, for all of it

COMMANDS = "http://jabber.org/protocol/commands"
ADMIN = "http://jabber.org/protocol/admin"
END = ADMIN + "#end-user-session"

settings = json.load(sys.stdin)
domain = settings["domain"]


class User(slixmpp.ClientXMPP):
    """A login of a user at a node, whose end can be waited for."""

    def __init__(self, name, node=0):
        super().__init__(f"{name}@{domain}/{len(settings['tokens'][name])}", settings["tokens"][name].pop())
        self.host, self.port = settings["nodes"][node]
        self.ca_certs = settings["authority"]
        for plugin in ("xep_0004", "xep_0030", "xep_0050", "xep_0092", "xep_0199"):
            self.register_plugin(plugin)
        loop = asyncio.get_running_loop()
        self.online, self.over = loop.create_future(), loop.create_future()
        self.add_event_handler("session_start", lambda _: self.online.set_result(None))
        self.add_event_handler("failed_auth", lambda failure: self.refused(failure["condition"]))
        self.add_event_handler("stream_error", lambda error: self.ended(error["condition"]))

    async def get_dns_records(self, domain, port=None):
        """The server's address is given: nothing is looked up."""
        return [(domain, self.host, self.port)]

    def refused(self, condition):
        if not self.online.done():
            self.online.set_exception(PermissionError(condition))

    def ended(self, condition):
        if not self.over.done():
            self.over.set_result(condition)

    async def log_in(self):
        self.connect((domain, self.port), use_ssl=True)
        await self.online
        self.send_presence()
        return self

    async def commands(self, component):
        found = await self["xep_0050"].get_commands(component)
        return sorted(node for jid, node, name in found["disco_items"]["items"])

    async def execute(self, component, node, **more):
        return (await self["xep_0050"].send_command(component, node, **more))["command"]

    async def fill_in(self, component, node, *users):
        """Goes through a command as a window with its form does. Returns the notes."""
        done = asyncio.get_running_loop().create_future()

        def refused(iq, session):
            done.set_exception(IqError(iq))

        def completed(iq, session):
            assert iq["command"]["status"] == "completed", iq
            done.set_result(iq["command"]["notes"])

        def form_given(iq, session):
            form = iq["command"]["form"]
            assert iq["command"]["status"] == "executing" and form["type"] == "form" and form["instructions"], iq
            assert form.get_fields()["accountjids"]["type"] == "jid-multi", iq
            answer = self["xep_0004"].make_form(ftype="submit")
            answer.add_field(var="FORM_TYPE", ftype="hidden", value=form.get_fields()["FORM_TYPE"]["value"])
            answer.add_field(var="accountjids", ftype="jid-multi", value=list(users))
            session["payload"], session["next"] = answer, completed
            self["xep_0050"].complete_command(session)

        self["xep_0050"].start_command(component, node, {"next": form_given, "error": refused})
        return await done

    async def status(self, component):
        command = await self.execute(component, "status")
        assert command["status"] == "completed", command
        return {name: field["value"] for name, field in command["form"].get_fields().items()}


async def is_refused(condition, awaitable):
    try:
        got = await awaitable
    except IqError as refused:
        assert refused.condition == condition, refused
        return
    raise AssertionError(f"not {condition}: {got}")


def accounts(user, *addresses):
    form = user["xep_0004"].make_form(ftype="submit")
    form.add_field(var="accountjids", ftype="jid-multi", value=list(addresses))
    return form


async def what_anybody_is_told(user, component):
    info = (await user["xep_0030"].get_info(jid=component))["disco_info"]
    assert [identity[:2] for identity in info["identities"]] == [("component", "generic")], info
    assert {COMMANDS, "urn:xmpp:ping", "jabber:iq:version"} <= set(info["features"]), info
    assert not (await user["xep_0030"].get_items(jid=component))["disco_items"]["items"]
    assert await user["xep_0199"].ping(jid=component) > 0
    version = (await user["xep_0092"].get_version(component))["software_version"]
    assert (version["name"], version["version"], version["os"]) == ("xtokend", settings["version"], ""), version
    roster = user.make_iq_get(queryxmlns="jabber:iq:roster", ito=component)
    await is_refused("service-unavailable", roster.send())


async def what_others_may_not(user, component, victim):
    await is_refused("forbidden", user.commands(component))
    for node in ("status", END, "revoke", "other"):
        await is_refused("forbidden", user.execute(component, node))
        await is_refused("forbidden", user.execute(component, node, payload=accounts(user, victim)))


async def admin():
    component, alice_jid = settings["components"][0], f"alice@{domain}"
    ops, alice = await User("ops").log_in(), await User("alice").log_in()
    await what_anybody_is_told(alice, component)
    await what_others_may_not(alice, component, f"ops@{domain}")
    await what_anybody_is_told(ops, component)
    assert await ops.commands(component) == sorted(["status", END, "revoke"])

    status = await ops.status(component)
    assert status["version"] == settings["version"] and status["sessions"] == "2", status
    assert status["transports"] == "tcp+tls: 2" and status["uptime"].endswith("s"), status
    assert status["upstream"] == "up" and status["store"] == "file: up" and component in status["link"], status

    # Her session ends; she may come back at once.
    notes = await ops.fill_in(component, END, alice_jid)
    assert notes == [("info", f"{alice_jid}: 1 session ended")], notes
    assert await alice.over == "reset"
    assert (await ops.status(component))["sessions"] == "1"
    assert await ops.fill_in(component, END, alice_jid) == [("info", f"{alice_jid}: 0 sessions ended")]
    alice = await User("alice").log_in()

    # Her session ends, and a token that was issued before is worth nothing.
    notes = await ops.fill_in(component, "revoke", alice_jid)
    assert notes == [("info", f"{alice_jid}: revoked, 1 session ended")], notes
    assert await alice.over == "reset"
    try:
        await User("alice").log_in()
        raise AssertionError("a token from before the revocation is accepted")
    except PermissionError as refused:
        assert str(refused) == "credentials-expired", refused

    await is_refused("bad-request", ops.execute(component, "revoke", payload=accounts(ops, "alice@example.com")))
    begun = await ops.execute(component, END)
    canceled = await ops.execute(component, END, action="cancel", sessionid=begun["sessionid"])
    assert canceled["status"] == "canceled", canceled
    await ops.disconnect()


async def two_links():
    one, two = settings["components"]
    ops, bob = await User("ops", 0).log_in(), await User("bob", 1).log_in()
    for component, sessions in ((one, "1"), (two, "1")):
        status = await ops.status(component)
        assert status["sessions"] == sessions and component in status["link"], status
    bob_jid = f"bob@{domain}"
    for here, there in ((one, two), (two, one)):
        begun = (await ops.execute(here, END))["sessionid"]
        await is_refused("bad-request", ops.execute(there, END, sessionid=begun, payload=accounts(ops, bob_jid)))
    assert await ops.fill_in(one, END, bob_jid) == [("info", f"{bob_jid}: 0 sessions ended")]
    assert not bob.over.done()
    assert await ops.fill_in(two, END, bob_jid) == [("info", f"{bob_jid}: 1 session ended")]
    assert await bob.over == "reset"
    await ops.disconnect()


asyncio.run(asyncio.wait_for({"admin": admin, "two links": two_links}[settings["play"]](), TIMEOUT))
