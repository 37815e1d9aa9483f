# Makes the token that pyotp makes, for each request on standard input: localpart, domain, Unix time, nonce.
# Arguments: the OTP seed and the token secret.
import base64
import datetime
import hashlib
import hmac
import json
import sys

import pyotp

seed, secret = sys.argv[1:]
totp = pyotp.TOTP(seed, digits=8)
for line in sys.stdin:
    r = json.loads(line)
    moment = datetime.datetime.fromtimestamp(r["at"], datetime.timezone.utc)
    text = totp.generate_otp(totp.timecode(moment)) + r["nonce"]
    mac = hmac.new(secret.encode(), (text + r["localpart"] + "@" + r["domain"]).encode(), hashlib.sha256)
    print(text + " " + base64.b64encode(mac.digest()).decode(), flush=True)
