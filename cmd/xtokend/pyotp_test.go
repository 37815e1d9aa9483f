package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// naiveIssuer does what the documented Plone snippet does: it gives pyotp a
// naive UTC time, which pyotp reads as one of the host's zone. reading is the
// moment that this makes of now.
const naiveIssuer = `
import base64, calendar, datetime, hashlib, hmac, json, secrets, sys, time
import pyotp
seed, secret, address = sys.argv[1:]
now = datetime.datetime.utcnow()
totp = pyotp.TOTP(seed, digits=8)
text = totp.generate_otp(totp.timecode(now)) + "".join(secrets.choice("0123456789") for _ in range(32))
signature = hmac.new(secret.encode(), (text + address).encode(), hashlib.sha256).digest()
print(json.dumps({"token": text + " " + base64.b64encode(signature).decode(),
    "now": calendar.timegm(now.timetuple()), "reading": int(time.mktime(now.timetuple()))}))
`

type minted struct {
	Token        string
	Now, Reading int64
}

// Debian's own Python has pyotp; another may come first in the path.
func mint(t *testing.T, zone string) minted {
	t.Helper()
	python := exec.Command("/usr/bin/python3", "-W", "ignore", "-c", naiveIssuer, vectorSeed, vectorSecret, "alice@example.org")
	python.Env = append(os.Environ(), "TZ="+zone)
	python.Stderr = os.Stderr
	out, err := python.Output()
	if err != nil {
		t.Fatalf("python3-pyotp: %v", err)
	}
	var m minted
	if err := json.Unmarshal(out, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestExplainNamesTheZoneOfANaiveIssuer(t *testing.T) {
	for _, zone := range []string{"UTC", "Europe/Amsterdam", "America/New_York", "Asia/Kolkata"} {
		t.Run(zone, func(t *testing.T) {
			m := mint(t, zone)
			at := time.Unix(m.Now, 0).UTC()
			lines, status := explain(t, settings{Zone: zone}.write(t, "example.org"), at, "alice@example.org", m.Token)
			if lines[0] != "ok" || status != exitOK {
				t.Errorf("with issuer_timezone: %q, exit status %d", lines, status)
			}
			lines, status = explain(t, settings{}.write(t, "example.org"), at, "alice@example.org", m.Token)
			if zone == "UTC" {
				if lines[0] != "ok" || status != exitOK {
					t.Errorf("%q, exit status %d", lines, status)
				}
				return
			}
			if lines[0] != "expired" || status != exitFailure {
				t.Errorf("without issuer_timezone: %q, exit status %d", lines, status)
			}
			if want := offset(m.Now - m.Reading); !strings.Contains(strings.Join(lines, "\n"), want) {
				t.Errorf("%q does not name the offset %q", lines, want)
			}
		})
	}
}

// offset describes a zone that is so many seconds ahead of UTC.
func offset(seconds int64) string {
	side := "ahead of UTC"
	if seconds < 0 {
		seconds, side = -seconds, "behind UTC"
	}
	text := fmt.Sprintf("%d hours", seconds/3600)
	if seconds/3600 == 1 {
		text = "1 hour"
	}
	if minutes := seconds / 60 % 60; minutes != 0 {
		text += fmt.Sprintf(" %d minutes", minutes)
	}
	return text + " " + side
}
