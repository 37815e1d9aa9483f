"""Makes one-time tokens with which the users of a web site log in to XMPP.

Needs nothing but Python 3.8 or later; sites other than Plone can take this file as it is. A token is

    otp nonce SP signature
    otp        8 digits, TOTP (RFC 6238) with HMAC-SHA-1 and steps of 30 seconds; the seed is base32
    nonce      32 digits
    signature  base64 of HMAC-SHA-256(token secret, otp nonce localpart "@" domain)

`credentials` makes what a credentials URL answers, with HEADERS. No error holds a seed, a secret or a token.
"""
import base64
import binascii
import hashlib
import hmac
import re
import secrets
import struct
import unicodedata
from datetime import datetime, timezone

STEP_SECONDS = 30
NONCE_DIGITS = 32
MAX_LOCALPART_BYTES = 1023  # RFC 7622 §3.3.1

# The answer is a login. nosniff and no-referrer cost nothing.
HEADERS = {
    "Content-Type": "application/json; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}

# XEP-0106 §4.2. A backslash is escaped only where it would begin one of these.
ESCAPES = {c: "\\%02x" % ord(c) for c in " \"&'/:<>@\\"}
ESCAPED = re.compile(r"""[ "&'/:<>@]|\\(?=20|22|26|27|2f|3a|3c|3e|40|5c)""")

# Letters and marks that a server of RFC 6122 reads as others (ß as ss, ς as σ, iota subscripts), and those that RFC
# 5892 §2.6, §2.8 and §2.9 takes out: fillers, old Hangul, what shows nothing.
UNSAFE = re.compile(
    "[\u00df\u0345\u034f\u03c2\u0640\u07fa\u1100-\u11ff\u17b4\u17b5\u180b-\u180d\u180f\u1f80-\u1faf\u1fb2-\u1fb4\u1fb7"
    "\u1fbc\u1fc2-\u1fc4\u1fc7\u1fcc\u1ff2-\u1ff4\u1ff7\u1ffc\u302e\u302f\u3031-\u3035\u303b\ua960-\ua97c\ud7b0-\ud7fb"
    "\ufe00-\ufe0f\U000e0100-\U000e01ef]"
)
LETTERS = {"Ll", "Lo", "Lm", "Mn", "Mc", "Nd"}  # RFC 8264 §9.1, in lower case


class UserIdError(ValueError):
    """A user id that cannot be the name of an XMPP account. Its text says why."""


def localpart(user_id, fold_case=False):
    """Return the part of the user's XMPP address in front of the @, escaped by XEP-0106.

    XMPP knows no letter case. An id that it would change (JSmith to jsmith) is refused unless fold_case is set. Set it
    only where no two ids are the same but for letter case or Unicode form: their owners would share one account.
    """
    try:
        user_id.encode("utf-8")
    except UnicodeEncodeError:
        raise UserIdError("the user id is not Unicode text") from None
    folded = fold(user_id)
    if folded != user_id and not fold_case:
        raise UserIdError(
            "the user id %r would become %r in XMPP: set fold_case, if no two user ids are the same but for letter case"
            % (user_id, folded)
        )
    if folded != folded.strip(" "):
        raise UserIdError("the user id %r begins or ends with a space (XEP-0106 §4.1)" % user_id)
    for c in folded:
        if not "!" <= c <= "~" and c != " " and unicodedata.category(c) not in LETTERS or UNSAFE.match(c):
            raise UserIdError("the user id %r holds U+%04X, which no XMPP address may" % (user_id, ord(c)))
    escaped = ESCAPED.sub(lambda match: ESCAPES[match.group()], folded)
    # Full-width and other compatibility forms would be read as plain letters.
    if unicodedata.normalize("NFKC", escaped) != escaped:
        raise UserIdError("the user id %r holds characters that servers read as others" % user_id)
    if not escaped or len(escaped.encode("utf-8")) > MAX_LOCALPART_BYTES:
        raise UserIdError("the user id is empty or longer than %d octets" % MAX_LOCALPART_BYTES)
    return escaped


def fold(user_id):
    # Letter by letter: at the end of a word Σ would become ς, which servers read as σ.
    lower = "".join(c.lower() for c in unicodedata.normalize("NFC", user_id))
    return unicodedata.normalize("NFC", lower)


class Key:
    """A seed for one-time passwords and a token secret, as in xtokend's [[domain.key]]. It prints neither."""

    def __init__(self, otp_seed, token_secret):
        seed = "".join(otp_seed.split()).upper().rstrip("=")
        try:
            self._seed = base64.b32decode(seed + "=" * (-len(seed) % 8))
        except (binascii.Error, ValueError):
            raise ValueError("the OTP seed is not base32") from None
        if not seed or not re.fullmatch("[!-~]+", token_secret):
            raise ValueError("the OTP seed is empty, or the token secret is not one word of printable ASCII")
        self._secret = token_secret.encode("ascii")

    @classmethod
    def from_files(cls, otp_seed_file, token_secret_file):
        """Read both, one line each."""
        with open(otp_seed_file, encoding="ascii") as seed, open(token_secret_file, encoding="ascii") as secret:
            return cls(seed.read().strip(), secret.read().strip())

    def token(self, localpart, domain, at, nonce=None):
        """Return a token for one login as localpart@domain at the aware datetime at.

        nonce is for tests; without one it is random.
        """
        if at.tzinfo is None:
            # A naive UTC time would be read as one of this host's zone.
            raise ValueError("the time has no zone: use datetime.now(timezone.utc)")
        if nonce is None:
            nonce = "%0*d" % (NONCE_DIGITS, secrets.randbelow(10**NONCE_DIGITS))
        elif not re.fullmatch("[0-9]{%d}" % NONCE_DIGITS, nonce):
            raise ValueError("the nonce is not %d digits" % NONCE_DIGITS)
        digits = self._otp(int(at.timestamp()) // STEP_SECONDS) + nonce
        signed = (digits + localpart + "@" + domain).encode("utf-8")
        signature = hmac.new(self._secret, signed, hashlib.sha256).digest()
        return digits + " " + base64.b64encode(signature).decode("ascii")

    def _otp(self, step):
        # RFC 4226 §5.3
        mac = hmac.new(self._seed, struct.pack(">Q", step), hashlib.sha1).digest()
        (truncated,) = struct.unpack_from(">I", mac, mac[-1] & 0x0F)
        return "%08d" % ((truncated & 0x7FFFFFFF) % 10**8)


def credentials(key, user_id, domain, fold_case=False):
    """Return what the credentials URL answers for this user, to be sent as JSON. Each call makes a new token."""
    name = localpart(user_id, fold_case)
    return {"jid": name + "@" + domain, "password": key.token(name, domain, datetime.now(timezone.utc))}


def may_answer(fetch_site):
    """Tell whether a request may be answered whose header Sec-Fetch-Site is this; None if there is none.

    Browsers say by it which page asks. The pages of other origins cannot read the answer; this is a second lock.
    """
    return fetch_site in (None, "", "same-origin", "none")


def localparts(user_ids, fold_case=False):
    """Return the names for `xtokend accounts add`, and a line for each user id that is not among them.

    Of ids that would share an account none gets a name.
    """
    owners, problems = {}, []
    for user_id in user_ids:
        try:
            owners.setdefault(localpart(user_id, fold_case), set()).add(user_id)
        except UserIdError as error:
            problems.append(str(error))
    names = []
    for name, ids in sorted(owners.items()):
        if len(ids) > 1:
            problems.append("the user ids %s would share the account %r" % (", ".join(map(repr, sorted(ids))), name))
        elif name.startswith("#"):  # a comment to `accounts add`
            problems.append("the account of %r can be made at its first login alone" % name)
        else:
            names.append(name)
    return names, problems
