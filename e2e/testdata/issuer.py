"""Issues tokens as a web application does: with pyotp and Python's hmac.

One JSON object a line on standard input, {"authcid": …, "domain": …}, one token
a line on standard output. "ahead" moves the clock by that many seconds. "naive"
takes the time as the snippet in collective.converse's documentation does: a
naive UTC time, which pyotp reads as local time of the zone TZ.

The key comes from the environment: OTP_SEED, TOKEN_SECRET.
"""
import base64
import datetime
import hashlib
import hmac
import json
import os
import secrets
import sys

import pyotp

totp = pyotp.TOTP(os.environ["OTP_SEED"], digits=8)
secret = os.environ["TOKEN_SECRET"].encode()

for line in sys.stdin:
    request = json.loads(line)
    now = datetime.datetime.now(datetime.timezone.utc)
    now += datetime.timedelta(seconds=request.get("ahead", 0))
    if request.get("naive"):
        now = now.replace(tzinfo=None)
    nonce = "".join(secrets.choice("0123456789") for _ in range(32))
    signed = totp.at(now) + nonce
    address = request["authcid"] + "@" + request["domain"]
    signature = hmac.new(secret, (signed + address).encode(), hashlib.sha256)
    print(signed, base64.b64encode(signature.digest()).decode(), flush=True)
