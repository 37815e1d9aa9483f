"""Users who leave the site leave the chat.

What is to be done is handed on when the transaction has been committed: until then it may be undone, or done again
after a conflict, and a user who is still there could get a new token.
"""
import logging

import plone.api
import transaction

from . import leaving, xtoken
from .settings import Settings, SettingsError

log = logging.getLogger(__name__)


def user_deleted(event):
    """End the user's chat and remove the account (IPrincipalDeletedEvent, whose principal is a user id)."""
    leave(leaving.REMOVE, event.principal)


def user_logged_out(event):
    """End the user's chat (IUserLoggedOutEvent, whose principal is a user, or nobody)."""
    user_id = event.principal.getId()
    if user_id is not None and enabled_at_logout():
        leave(leaving.REVOKE, user_id)


def enabled_at_logout():
    try:
        return Settings().leave_at_logout
    except SettingsError as error:
        log.error("product-config collective.converse: %s", error)
        return False


def leave(verb, user_id):
    try:
        settings = Settings()
        command = settings.leave_command
        if not command or not settings.is_for(site()):
            return
        name = xtoken.localpart(user_id, settings.fold_case)
    except xtoken.UserIdError:
        return  # no token was ever made
    except (SettingsError, ValueError) as error:
        # A user must be able to log out, and be deleted, whatever is wrong here.
        log.error("%s of %r is left undone: product-config collective.converse: %s", verb, user_id, error)
        return
    transaction.get().addAfterCommitHook(after_commit, (command, verb, name))


def site():
    """Return the Plone site that this happens in; None for users of Zope itself."""
    try:
        return plone.api.portal.get()
    except plone.api.exc.CannotGetPortalError:
        return None


def after_commit(committed, command, verb, name):
    if committed:
        leaving.queue.put(command, verb, name)
