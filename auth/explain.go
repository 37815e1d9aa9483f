package auth

import (
	"fmt"
	"strings"
	"time"

	"xtokend/auth/replay"
)

// VerdictOK is the verdict on a token that is accepted if it was not used or revoked.
const VerdictOK = "ok"

// An Explanation says why a token is accepted or refused.
type Explanation struct {
	Verdict  string   // VerdictOK, or the text of Malformed, BadSignature or Expired
	Findings []string // what was found and what to do about it, a sentence each, for an administrator
}

// Explain judges a token as of a moment, without its store: it neither uses the token up nor knows whether it was used or
// revoked. It searches further than [Verifier.Verify] for what the issuer does wrong. It is meant for an administrator's
// own hands; its cost (some 10 ms) and its candour make it unfit for peers.
func (v *Verifier) Explain(at time.Time, authcid, token string) Explanation {
	name, err := PrepareName(authcid)
	if err != nil {
		refusal := err.(*Refusal)
		finding := refusal.Detail
		if refusal.Err != nil {
			finding += ": " + refusal.Err.Error()
		}
		return Explanation{string(Malformed), []string{finding}}
	}
	var p parsed
	if p.parse(token) {
		return v.explainParsed(at, authcid, name, &p, token)
	}
	e := Explanation{string(Malformed), []string{describeForm(token)}}
	if repaired, ok := repair(token); ok && p.parse(repaired) {
		rest := v.explainParsed(at, authcid, name, &p, repaired)
		e.Findings = append(e.Findings, "with its form mended it would be: "+rest.Verdict)
		e.Findings = append(e.Findings, rest.Findings...)
	}
	return e
}

func (v *Verifier) explainParsed(at time.Time, authcid string, name Name, p *parsed, token string) Explanation {
	signed := v.signedBy(p, name, token, at)
	if signed == 0 {
		return Explanation{string(BadSignature), v.explainSignature(at, authcid, name, p, token)}
	}
	accepted, ok := v.newWindow(stepOf(at)).accept(p, signed)
	if !ok {
		return Explanation{string(Expired), v.explainExpiry(at, p, signed)}
	}
	return Explanation{VerdictOK, v.explainAcceptance(at, name, p, token, accepted)}
}

func (v *Verifier) explainAcceptance(at time.Time, name Name, p *parsed, token string, a Acceptance) []string {
	findings := []string{fmt.Sprintf("signed with key %d for %s@%s, of the step that begins at %s", a.Key+1, name.localpart, v.domain, stepTime(a.Step))}
	switch {
	case a.Bridge:
		findings = append(findings, fmt.Sprintf("only issuer_timezone (%s) lets it in: its step is %+d from the clock's, because the issuer takes a naive UTC time for a local one; %s",
			v.zone, a.Step-stepOf(at), mendNaive))
	case a.Skew != 0:
		findings = append(findings, fmt.Sprintf("its step is %+d from the clock's (%s), within the skew of %d", a.Skew, describeSkew(a.Skew), v.skew))
	}
	if name.sent != "" && v.signedBy(p, Name{localpart: name.localpart}, token, at) == 0 {
		findings = append(findings, fmt.Sprintf("only fold_case lets it in: %q is signed, not %q", name.sent, name.localpart))
	}
	return append(findings, "whether it was used or revoked is not looked at here; if the log says replayed: "+adviseReplayed)
}

const adviseReplayed = "a token admits one login. The web application hands one out twice (its answer must say Cache-Control: no-store, and no proxy or CDN may keep it), a client sends one twice, or somebody has seen it"

const mendNaive = "mend the issuer: totp.now(), or timecode of an aware time such as datetime.now(timezone.utc)"

func (v *Verifier) explainExpiry(at time.Time, p *parsed, signed keySet) []string {
	current := stepOf(at)
	var findings []string
	for i, k := range v.keys {
		step, found := k.search(p.otp, current)
		own := signed&(1<<i) != 0
		switch {
		case !found && own:
			findings = append(findings, fmt.Sprintf("signed with the secret of key %d, but its one-time password is of no step within a day of %s under that key's seed: the issuer's OTP seed is another one (compare otp_seed at both ends), or its clock is more than a day off (set it by NTP)", i+1, at.UTC().Format(time.RFC3339)))
		case found && own:
			findings = append(findings, v.explainStep(at, int(step-current))...)
		case found:
			findings = append(findings, fmt.Sprintf("its one-time password is made with the seed of key %d, at step %+d from the clock's: seed and secret of different keys do not go together", i+1, step-current))
		}
	}
	return findings
}

// explainStep says what can put a token that far from the clock.
func (v *Verifier) explainStep(at time.Time, skew int) []string {
	findings := []string{fmt.Sprintf("the issuer's step is %+d from the clock's, %d are accepted either side: the token was made for %s", skew, v.skew, stepTime(stepOf(at)+int64(skew)))}
	if skew < 0 {
		findings = append(findings, fmt.Sprintf("either it is that old, or the issuer's clock is %s: set both clocks by NTP", describeSkew(skew)))
	} else {
		findings = append(findings, fmt.Sprintf("the issuer's clock is %s, or this one is behind: set both clocks by NTP", describeSkew(skew)))
	}
	offset, names := naiveZones(at, skew, v.skew)
	if len(names) == 0 {
		return findings
	}
	return append(findings, fmt.Sprintf("it is what a naive UTC time makes of it in a zone %s, such as %s: %s; or set issuer_timezone = %q until then",
		describeZone(offset), strings.Join(names, " or "), mendNaive, names[0]))
}

// likeZone describes the zone that a naive UTC time was taken to be of, if skew is what that makes of it, give or take
// tolerance steps. It does not look for a zone: their offsets are quarters of an hour, an hour or more, 14 hours at most.
func likeZone(skew, tolerance int) (zone string, ok bool) {
	const step = replay.StepSeconds * time.Second
	ahead := time.Duration(-skew) * step
	offset := ahead.Round(15 * time.Minute)
	if offset.Abs() < time.Hour || offset.Abs() > 14*time.Hour || (ahead-offset).Abs() > time.Duration(tolerance)*step {
		return "", false
	}
	return describeZone(offset), true
}

// describeZone says in words how far a zone is from UTC.
func describeZone(offset time.Duration) string {
	if offset < 0 {
		return describeDuration(-offset) + " behind UTC"
	}
	return describeDuration(offset) + " ahead of UTC"
}

// commonZones is a zone for each offset from UTC that many people have, the best known first.
var commonZones = []string{
	"Europe/Amsterdam", "America/New_York", "America/Los_Angeles", "Europe/London", "Europe/Athens", "Asia/Kolkata",
	"Asia/Shanghai", "Asia/Tokyo", "Australia/Sydney", "America/Chicago", "America/Denver", "America/Sao_Paulo",
	"Europe/Moscow", "Africa/Lagos", "Africa/Johannesburg", "Africa/Nairobi", "Asia/Dubai", "Asia/Karachi", "Asia/Dhaka",
	"Asia/Bangkok", "Pacific/Auckland", "America/Halifax", "America/Anchorage", "Pacific/Honolulu", "Asia/Tehran",
	"Asia/Kabul", "Asia/Kathmandu", "Asia/Yangon", "Australia/Adelaide", "Australia/Brisbane", "Australia/Lord_Howe",
	"America/St_Johns", "Atlantic/Azores", "Atlantic/South_Georgia", "Pacific/Guadalcanal", "Pacific/Tongatapu",
}

// naiveZones returns up to two zones in which a naive UTC time, read as local, is off by skew steps, give or take
// tolerance, and their offset from UTC. Without a time zone database it knows none.
func naiveZones(at time.Time, skew, tolerance int) (offset time.Duration, names []string) {
	current := stepOf(at)
	for _, name := range commonZones {
		zone, err := time.LoadLocation(name)
		if err != nil {
			continue
		}
		readings(zone, current*replay.StepSeconds, func(unix int64) {
			behind := current - floorStep(unix)
			ahead := time.Duration(behind*replay.StepSeconds) * time.Second
			off := abs(int64(skew)+behind) <= int64(tolerance)
			if behind != 0 && off && len(names) < 2 && (len(names) == 0 || ahead == offset && names[0] != name) {
				offset, names = ahead, append(names, name)
			}
		})
	}
	return offset, names
}

func stepTime(step int64) string {
	return time.Unix(step*replay.StepSeconds, 0).UTC().Format(time.RFC3339)
}

// describeSkew says in words how far the issuer's clock is off.
func describeSkew(skew int) string {
	d := time.Duration(abs(int64(skew))) * replay.StepSeconds * time.Second
	if skew < 0 {
		return describeDuration(d) + " behind"
	}
	return describeDuration(d) + " ahead"
}

// describeDuration writes a duration with its units in full, the smallest being seconds.
func describeDuration(d time.Duration) string {
	var parts []string
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{{time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}} {
		n := d / unit.length
		d %= unit.length
		switch {
		case n == 1:
			parts = append(parts, "1 "+unit.name)
		case n > 1:
			parts = append(parts, fmt.Sprintf("%d %ss", n, unit.name))
		}
	}
	if len(parts) == 0 {
		return "0 seconds"
	}
	return strings.Join(parts, " ")
}
