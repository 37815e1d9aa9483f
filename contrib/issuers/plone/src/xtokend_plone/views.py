"""What the site answers over HTTP."""
import json
import logging

import plone.api
from Products.Five.browser import BrowserView

from . import xtoken
from .settings import Settings, SettingsError

log = logging.getLogger(__name__)


class XMPPCredentials(BrowserView):
    """@@xmpp-credentials: the address and a new token of the user who is logged in, for converse.js."""

    def __call__(self):
        response = self.request.response
        for name, value in xtoken.HEADERS.items():
            response.setHeader(name, value)
        status, body = self.answer()
        response.setStatus(status)
        return json.dumps(body)

    def answer(self):
        if self.request.get("REQUEST_METHOD") != "GET":
            return 405, {"error": "use GET"}
        if not xtoken.may_answer(self.request.getHeader("Sec-Fetch-Site")):
            return 403, {"error": "for pages of this site alone"}
        # Not Unauthorized, which leads to the login form: converse.js would take that page for credentials.
        if plone.api.user.is_anonymous():
            return 403, {"error": "log in to the site first"}
        user_id = plone.api.user.get_current().getId()
        try:
            settings = Settings()
            if not settings.is_for(plone.api.portal.get()):
                return 404, {"error": "the users of this site do not chat"}
            return 200, xtoken.credentials(settings.key, user_id, settings.domain, settings.fold_case)
        except xtoken.UserIdError as error:
            log.warning("no chat: %s", error)
            return 403, {"error": "this user id cannot have a chat account"}
        except SettingsError as error:
            log.error("no chat: product-config collective.converse: %s", error)
            return 500, {"error": "see the log of the site"}


class XMPPUserIds(BrowserView):
    """@@xmpp-user-ids: the names for `xtokend accounts add`, one a line; what cannot have one is in comments."""

    def __call__(self):
        response = self.request.response
        response.setHeader("Content-Type", "text/plain; charset=utf-8")
        response.setHeader("Cache-Control", "no-store")
        response.setHeader("X-Content-Type-Options", "nosniff")
        try:
            settings = Settings()
            if not settings.is_for(plone.api.portal.get()):
                response.setStatus(404)
                return "# the users of this site do not chat\n"
            user_ids = plone.api.portal.get_tool("portal_membership").listMemberIds()
            names, problems = xtoken.localparts(user_ids, settings.fold_case)
            lines = [name + "@" + settings.domain for name in names]
        except SettingsError as error:
            log.error("no list of users: product-config collective.converse: %s", error)
            response.setStatus(500)
            return "# see the log of the site\n"
        return "".join(line + "\n" for line in ["# " + problem for problem in problems] + lines)
