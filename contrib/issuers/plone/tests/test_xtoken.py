"""What xtoken.py refuses; that its tokens are right is shown against xtokend and pyotp elsewhere."""
import os
import sys
import unittest
from datetime import datetime, timedelta, timezone

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "src", "xtokend_plone"))

import xtoken  # noqa: E402

KEY = xtoken.Key("XVGR73KMZH2M4XMY", "JYXEX4IQOEYFYQ2S3MC5P4ZT4SDHYEA7")
AT = datetime.fromtimestamp(1551193138, timezone.utc)
NONCE = "31415926535897932384626433832795"
TOKEN = "8524917131415926535897932384626433832795 G9RPwjT6HMjZN3fw8qnhAPvK3Fpfxg+D6EuxKRuRi7w="


class TestToken(unittest.TestCase):
    def test_a_known_one_in_any_zone(self):
        for hours in (-5, 0, 5.5):
            at = AT.astimezone(timezone(timedelta(hours=hours)))
            self.assertEqual(KEY.token("alice", "example.org", at, NONCE), TOKEN)

    def test_a_time_without_a_zone(self):
        with self.assertRaisesRegex(ValueError, "datetime.now"):
            KEY.token("alice", "example.org", AT.replace(tzinfo=None), NONCE)

    def test_a_nonce_of_another_length_or_with_other_digits(self):
        for nonce in ("", NONCE[:-1], NONCE + "0", NONCE[:-1] + "\u0663", NONCE + "\n"):
            with self.assertRaisesRegex(ValueError, "nonce"):
                KEY.token("alice", "example.org", AT, nonce)

    def test_seeds_as_people_write_them(self):
        for seed in ("xvgr73kmzh2m4xmy", "XVGR 73KM ZH2M 4XMY", "XVGR73KMZH2M4XMY======"):
            key = xtoken.Key(seed, "JYXEX4IQOEYFYQ2S3MC5P4ZT4SDHYEA7")
            self.assertEqual(key.token("alice", "example.org", AT, NONCE), TOKEN)

    def test_text_that_is_no_unicode(self):
        with self.assertRaises(xtoken.UserIdError):
            xtoken.localpart("a\ud800b", True)


class TestLocalparts(unittest.TestCase):
    def test_those_who_would_share_an_account_get_none(self):
        names, problems = xtoken.localparts(["b", "A", "a", "e\u0301", "\u00e9", "b", ""], fold_case=True)
        self.assertEqual(names, ["b"])
        self.assertEqual(len(problems), 3, problems)
        self.assertIn("'A', 'a' would share the account 'a'", "\n".join(problems))

    def test_without_folding_one_of_them_is_a_user(self):
        names, problems = xtoken.localparts(["A", "a"])
        self.assertEqual(names, ["a"])
        self.assertIn("fold_case", problems[0])


if __name__ == "__main__":
    unittest.main()
