"""Lets two users of slixmpp chat, as its own example programs do: roster, presence
and subscriptions, messages, ping, disco.

One JSON object on standard input: the address of the server ("host", "port",
"direct_tls"), the "authority" file that signed its certificate, the "domain", and the
"passwords" of alice and bob. Exit status 0 says that all of it worked and that slixmpp
had nothing to complain about.
"""
import asyncio
import json
import logging
import sys

import slixmpp

TIMEOUT = 30  # seconds, for all of it

settings = json.load(sys.stdin)
domain = settings["domain"]


class Complaints(logging.Handler):
    """What slixmpp, or the loop that it runs on, takes for worth a warning."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
        self.texts = []

    def emit(self, record):
        self.texts.append(self.format(record))


complaints = Complaints()
logging.getLogger().addHandler(complaints)


class User(slixmpp.ClientXMPP):
    """A user whose events can be waited for, whether they are past or to come."""

    EVENTS = ("session_start", "roster_update", "got_online", "presence_unavailable", "changed_status", "message",
              "presence_subscribe", "presence_subscribed", "presence_unsubscribed", "failed_auth", "stream_error")

    def __init__(self, name):
        super().__init__(f"{name}@{domain}/slixmpp", settings["passwords"][name])
        self.ca_certs = settings["authority"]
        for plugin in ("xep_0030", "xep_0199"):
            self.register_plugin(plugin)
        self.seen = []
        self.changed = asyncio.Condition()
        for event in self.EVENTS:
            self.add_event_handler(event, self.recorder(event))

    async def get_dns_records(self, domain, port=None):
        """The server's address is given: nothing is looked up."""
        return [(domain, settings["host"], settings["port"])]

    def recorder(self, event):
        async def record(data):
            async with self.changed:
                self.seen.append((event, data))
                self.changed.notify_all()
        return record

    async def event_seen(self, event, wanted=lambda data: True):
        """The first event of that name that is wanted; it is not found again."""
        def find():
            for name, data in self.seen:
                assert name not in ("failed_auth", "stream_error"), f"{self.boundjid}: {name} {data}"
                if name == event and wanted(data):
                    self.seen.remove((name, data))
                    return data
        found = None
        async with self.changed:
            while found is None:
                found = find()
                if found is None:
                    await self.changed.wait()
        return found

    async def log_in(self):
        self.connect((domain, settings["port"]), use_ssl=settings["direct_tls"])
        await self.event_seen("session_start")
        await self.get_roster()
        self.send_presence()


def item_of(push, jid):
    return push["roster"]["items"].get(slixmpp.JID(jid))


async def chat():
    alice, bob = User("alice"), User("bob")
    alice_jid, bob_jid = f"alice@{domain}", f"bob@{domain}"
    await alice.log_in()
    await bob.log_in()

    await alice.update_roster(bob_jid, name="Bob", groups=["Tea & cake"])
    push = await alice.event_seen("roster_update", lambda push: item_of(push, bob_jid))
    assert item_of(push, bob_jid)["name"] == "Bob", push
    await alice.get_roster()  # which may say that what she has is up to date
    item = alice.client_roster[bob_jid]
    assert item["name"] == "Bob" and item["groups"] == ["Tea & cake"] and item["subscription"] == "none", item

    # Bob's slixmpp answers the request, and asks for the same in return.
    alice.send_presence_subscription(pto=bob_jid)
    await bob.event_seen("presence_subscribe", lambda presence: presence["from"].bare == alice_jid)
    await alice.event_seen("presence_subscribed", lambda presence: presence["from"].bare == bob_jid)
    await bob.event_seen("presence_subscribed", lambda presence: presence["from"].bare == alice_jid)
    for user, contact in ((alice, bob_jid), (bob, alice_jid)):
        await user.event_seen("roster_update", lambda push: (item_of(push, contact) or {}).get("subscription") == "both")
        await user.event_seen("got_online", lambda presence: presence["from"].bare == contact)

    alice.send_presence(pshow="away", pstatus="tea")
    changed = await bob.event_seen("changed_status", lambda presence: presence["from"] == alice.boundjid and presence["show"] == "away")
    assert changed["status"] == "tea", changed

    alice.send_message(mto=bob_jid, mbody="Grüße <&> 🍵", mtype="chat")
    message = await bob.event_seen("message")
    assert message["from"] == alice.boundjid and message["body"] == "Grüße <&> 🍵", message
    message.reply("danke").send()
    message = await alice.event_seen("message")
    assert message["from"] == bob.boundjid and message["body"] == "danke", message

    for jid in (domain, bob.boundjid, None):
        assert await alice["xep_0199"].ping(jid=jid) > 0

    info = await alice["xep_0030"].get_info(jid=domain)
    assert any(identity[:2] == ("server", "im") for identity in info["disco_info"]["identities"]), info
    items = await alice["xep_0030"].get_items(jid=domain)
    rooms = [jid for jid, node, name in items["disco_items"]["items"] if jid == f"conference.{domain}"]
    info = await alice["xep_0030"].get_info(jid=rooms[0])
    assert "http://jabber.org/protocol/muc" in info["disco_info"]["features"], info
    info = await alice["xep_0030"].get_info(jid=bob.boundjid)
    assert "urn:xmpp:ping" in info["disco_info"]["features"], info
    try:
        await alice["xep_0030"].get_info(jid=domain, node="urn:example:nowhere")
        raise AssertionError("a node that is not there has an info")
    except slixmpp.exceptions.IqError as refused:
        assert refused.condition == "item-not-found", refused

    await alice.del_roster_item(bob_jid)
    await alice.event_seen("roster_update", lambda push: (item_of(push, bob_jid) or {}).get("subscription") == "remove")
    await bob.event_seen("presence_unsubscribed", lambda presence: presence["from"].bare == alice_jid)
    await bob.event_seen("presence_unavailable", lambda presence: presence["from"].bare == alice_jid)
    await alice.get_roster()
    assert not alice.client_roster.has_jid(bob_jid)

    for user in (alice, bob):
        await user.disconnect()


async def main():
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: complaints.texts.append(f"{context}"))
    await asyncio.wait_for(chat(), TIMEOUT)


asyncio.run(main())
if complaints.texts:
    sys.exit("\n".join(complaints.texts))
