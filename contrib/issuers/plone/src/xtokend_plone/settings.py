"""The settings, in zope.conf under the name that collective.converse has:

    <product-config collective.converse>
        instance_name Plone
        xmpp_domain example.org
        otp_seed_file /etc/xtokend-issuer/otp_seed
        token_secret_file /etc/xtokend-issuer/token_secret
        fold_case 0
        leave_command sudo -n -u xtokend /usr/local/lib/xtokend/leave
        leave_at_logout 1
    </product-config>

otp_seed and token_secret themselves may stand there too. Files are read for each token, so that a new key needs no
restart.
"""
import shlex

import plone.api
from App.config import getConfiguration

from .xtoken import Key

PRODUCT = "collective.converse"
DOMAIN_RECORD = "collective.converse.interfaces.IXMPPSettings.xmpp_domain"


class SettingsError(Exception):
    """A setting is missing or wrong. The text says which, and holds no secret."""


class Settings:
    """Those of one site; None of them is kept."""

    def __init__(self):
        config = getattr(getConfiguration(), "product_config", None) or {}
        self._values = config.get(PRODUCT) or {}

    def is_for(self, site):
        """Tell whether this is the site whose users chat. Those of others in the same Zope may have the same ids."""
        name = self._values.get("instance_name")
        if not name:
            raise SettingsError("instance_name is missing: the id of the Plone site whose users chat")
        return site is not None and site.getId() == name

    @property
    def key(self):
        v = self._values
        try:
            if "otp_seed_file" in v and "token_secret_file" in v:
                return Key.from_files(v["otp_seed_file"], v["token_secret_file"])
            if "otp_seed" in v and "token_secret" in v:
                return Key(v["otp_seed"], v["token_secret"])
        except UnicodeError:
            raise SettingsError("the files of the key are not ASCII") from None
        except (OSError, ValueError) as error:
            raise SettingsError(str(error)) from None
        raise SettingsError("otp_seed_file and token_secret_file, or otp_seed and token_secret, are missing")

    @property
    def domain(self):
        domain = self._values.get("xmpp_domain") or plone.api.portal.get_registry_record(DOMAIN_RECORD, default=None)
        if not domain:
            raise SettingsError("xmpp_domain is missing")
        return domain

    @property
    def fold_case(self):
        return self._switch("fold_case", False)

    @property
    def leave_command(self):
        """What ends chats and removes accounts, as arguments; empty if nothing does."""
        return shlex.split(self._values.get("leave_command") or "")

    @property
    def leave_at_logout(self):
        return self._switch("leave_at_logout", True)

    def _switch(self, name, default):
        value = str(self._values.get(name, int(default))).lower()
        if value in ("1", "true", "on", "yes"):
            return True
        if value in ("0", "false", "off", "no"):
            return False
        raise SettingsError("%s is neither 1 nor 0" % name)
