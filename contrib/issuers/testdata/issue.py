# Answers each request on standard input with what the issuer makes of it; see issuers_test.go.
import json
import os
import sys
from datetime import datetime, timezone

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "plone", "src", "xtokend_plone"))
import xtoken  # noqa: E402

key = xtoken.Key(*sys.argv[1:])
for line in sys.stdin:
    r = json.loads(line)
    if "user_ids" in r:
        names, problems = xtoken.localparts(r["user_ids"], r["fold_case"])
        print(json.dumps({"names": names, "problems": problems}), flush=True)
        continue
    try:
        name = xtoken.localpart(r["user_id"], r["fold_case"])
        token = key.token(name, r["domain"], datetime.fromtimestamp(r["at"], timezone.utc), r["nonce"])
        answer = {"localpart": name, "token": token}
    except xtoken.UserIdError as error:
        answer = {"error": str(error)}
    print(json.dumps(answer), flush=True)
