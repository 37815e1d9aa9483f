# Prints, for each Unix time on standard input, what pyotp makes of it as a naive UTC time on a host in the zone TZ.
# Arguments: the OTP seed.
import datetime
import sys

import pyotp

totp = pyotp.TOTP(sys.argv[1], digits=8)
for line in sys.stdin:
    moment = datetime.datetime.utcfromtimestamp(int(line))
    step = totp.timecode(moment)
    print(step, totp.generate_otp(step))
