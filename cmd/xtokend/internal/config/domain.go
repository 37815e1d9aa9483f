package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"mellium.im/xmpp/jid"

	"xtokend/auth"
	"xtokend/auth/replay"
	"xtokend/sasl"
)

// minTokenSecretBytes is below what anybody would generate; the issuer's
// administrator chose the secret.
const minTokenSecretBytes = 16

// mechanisms are those that take a token.
var mechanisms = []string{sasl.XToken, sasl.HMAC, sasl.Plain}

// domains reads all [[domain]] tables. No name may be two things: the server
// tells components and domains apart by it.
func (l *loader) domains(raw []rawDomain) []Domain {
	if len(raw) == 0 {
		l.fault("domain", `add [[domain]] with name = "example.org", say`, "no domain is configured")
	}
	domains := make([]Domain, len(raw))
	names := map[string]string{}
	for i := range raw {
		key := fmt.Sprintf("domain[%d]", i)
		domains[i] = l.domain(key, &raw[i])
		l.unique(names, key+".name", domains[i].Name)
	}
	for i, d := range domains {
		if d.Component != nil {
			l.unique(names, fmt.Sprintf("domain[%d].component.name", i), d.Component.Name)
		}
		l.unique(names, fmt.Sprintf("domain[%d].host.rooms", i), d.Host.Rooms)
	}
	return domains
}

// unique reports a domainpart that an earlier setting has too.
func (l *loader) unique(names map[string]string, key, name string) {
	if name == "" {
		return
	}
	if first, ok := names[name]; ok {
		l.fault(key, "", "%q is the value of %s already", name, first)
		return
	}
	names[name] = key
}

// domain reads one [[domain]] with all that is in it.
func (l *loader) domain(key string, raw *rawDomain) Domain {
	d := Domain{
		Name:     l.domainpart(key+".name", raw.Name, `write name = "example.org", say`),
		Skew:     between(l, key+".skew", raw.Skew, auth.DefaultSkew, 0, auth.MaxSkew),
		FoldCase: get(l, key+".fold_case", raw.FoldCase, false),
	}
	l.signedName(key+".name", raw.Name.got, d.Name)
	d.Mechanisms = l.mechanisms(key+".mechanisms", raw.Mechanisms)
	d.IssuerTimezone = l.timezone(key+".issuer_timezone", raw.IssuerTimezone)
	d.Keys = l.keys(key+".key", raw.Key)
	l.verifier(key, &d)
	if d.Skew > 2 {
		l.warn(key+".skew", "set the clocks right with NTP and use skew = 1", "a stolen token that was not used is good for up to %d s", (2*d.Skew+1)*30)
	}
	if d.FoldCase {
		l.warn(key+".fold_case", "", "is safe only where the site forbids user ids that differ in case alone")
	}
	d.PublicURLs = l.publicURLs(key+".public_urls", raw.PublicURLs)
	d.Admins = l.admins(key+".admins", raw.Admins)
	d.Users = l.users(key+".users_file", raw.UsersFile, d.Name)
	l.upstream(key, &d, raw)
	if d.Upstream == UpstreamNone && d.FoldCase {
		l.warn(key+".fold_case", "have the issuer sign names in small letters", "has no effect: other servers make capitals small before they ask")
	}
	if len(d.Admins) > 0 && (d.Component == nil || d.Server.Accounts != AccountsComponent) {
		l.warn(key+".admins", "leave it out, or add [domain.component] with accounts = \"component\"", "has no effect: there is no component link for their commands")
	}
	return d
}

// upstream reads what serves the users. A table for another kind is a fault:
// whoever wrote it believes that it has an effect.
func (l *loader) upstream(key string, d *Domain, raw *rawDomain) {
	d.Upstream = oneOf(l, key+".upstream", raw.Upstream, UpstreamServer, UpstreamServer, UpstreamHost, UpstreamNone)
	without := func(table string, given bool, upstream Upstream) {
		if given {
			l.fault(key+"."+table, fmt.Sprintf("leave [domain.%s] out, or set upstream = %q", table, upstream), "has no effect with upstream = %q", d.Upstream)
		}
	}
	if d.Upstream != UpstreamServer {
		without("server", raw.Server != nil, UpstreamServer)
		without("component", raw.Component != nil, UpstreamServer)
	}
	switch d.Upstream {
	case UpstreamHost:
		d.Host = l.host(key+".host", raw.Host)
		return
	case UpstreamNone:
		without("host", raw.Host != nil, UpstreamHost)
		return
	}
	without("host", raw.Host != nil, UpstreamHost)
	if raw.Server == nil {
		raw.Server = &rawServer{}
	}
	d.Component = l.component(key+".component", raw.Component)
	d.Server = l.server(key+".server", raw.Server, d.Name, d.Component)
}

// Verifier makes the verifier of the domain's tokens, which remembers used ones
// in store. Options.Need must have had Keys.
func (d *Domain) Verifier(store replay.Store) (*auth.Verifier, error) {
	keys := make([]auth.Key, len(d.Keys))
	for i := range d.Keys {
		keys[i] = d.Keys[i].Key
	}
	return auth.NewVerifier(auth.Config{
		Domain:         d.Name,
		Keys:           keys,
		Skew:           d.Skew,
		FoldCase:       d.FoldCase,
		IssuerTimezone: d.IssuerTimezone,
		Store:          store,
	})
}

// verifier reports what package auth will not take.
func (l *loader) verifier(key string, d *Domain) {
	if !l.need(Keys) || d.Name == "" || len(d.Keys) == 0 {
		return // reported already
	}
	if _, err := d.Verifier(replay.NewMemory(replay.MemoryOptions{})); err != nil {
		l.fault(key, "", "%v", err)
	}
}

// domainpart prepares the name of a domain (RFC 7622 §3.2).
func (l *loader) domainpart(key string, v value[string], hint string) string {
	name := get(l, key, v, "")
	if name == "" {
		if v.want == "" {
			l.fault(key, hint, "is missing")
		}
		return ""
	}
	j, err := jid.New("", name, "")
	if err != nil {
		l.fault(key, hint, "%q is not the name of a domain", name)
		return ""
	}
	return j.Domainpart()
}

// signedName warns of a name in its ASCII form: tokens are signed for the prepared
// one (RFC 7622 §3.2.1), and an issuer that has the same settings would sign the other.
func (l *loader) signedName(key, written, prepared string) {
	if prepared != "" && strings.Contains(strings.ToLower(written), "xn--") && !strings.EqualFold(written, prepared) {
		l.warn(key, fmt.Sprintf("write name = %q, and have the issuer sign that", prepared),
			"stands for %s: tokens are signed for that name, and one signed for %s is refused", prepared, written)
	}
}

// mechanisms reads which mechanisms are offered, all of them by default.
func (l *loader) mechanisms(key string, v value[[]string]) []string {
	names := get(l, key, v, mechanisms)
	if len(names) == 0 {
		l.fault(key, "use "+alternatives(mechanisms), "is empty: nobody could log in")
	}
	for i, name := range names {
		switch {
		case !slices.Contains(mechanisms, name):
			l.fault(fmt.Sprintf("%s[%d]", key, i), "use "+alternatives(mechanisms), "%q is not a mechanism that takes a token", name)
		case slices.Contains(names[:i], name):
			l.fault(fmt.Sprintf("%s[%d]", key, i), "", "%q is listed twice", name)
		}
	}
	return names
}

// timezone reads issuer_timezone. "Local" is refused: it is another zone on each
// machine.
func (l *loader) timezone(key string, v value[string]) *time.Location {
	name := get(l, key, v, "")
	if name == "" {
		return nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		l.fault(key, `use a name of the IANA time zone database, "Europe/Amsterdam", say`, "%q is not a time zone", name)
		return nil
	}
	l.warn(key, "mend the issuer (it must not pass a naive UTC time to pyotp), then leave this out",
		"lets an unused token of %s live a second time, hours later: a bridge only", name)
	return zone
}

// keys reads all [[domain.key]] tables of a domain.
func (l *loader) keys(path string, raw []rawKey) []Key {
	if len(raw) == 0 {
		l.fault(path, "add the [[domain.key]] that `xtokend keygen` prints", "the domain has no key")
	}
	var keys []Key
	ended := 0
	for i := range raw {
		if key, ok := l.key(fmt.Sprintf("%s[%d]", path, i), &raw[i]); ok {
			keys = append(keys, key)
			if !key.NotAfter.IsZero() && !l.Now.Before(key.NotAfter) {
				ended++
			}
		}
	}
	if len(keys) > 0 && ended == len(raw) {
		l.warn(path, "add the [[domain.key]] that `xtokend keygen` prints", "every key has ended: nobody can log in")
	}
	return keys
}

// SigningKey returns the key that signs at a moment, the first that has not ended;
// false: every key has.
func (d *Domain) SigningKey(at time.Time) (Key, bool) {
	for _, key := range d.Keys {
		if key.NotAfter.IsZero() || at.Before(key.NotAfter) {
			return key, true
		}
	}
	return Key{}, false
}

// key reads one key. One that has ended is kept: package auth knows when.
func (l *loader) key(path string, raw *rawKey) (Key, bool) {
	notAfter := get(l, path+".not_after", raw.NotAfter, time.Time{})
	switch notAfter.Location().String() {
	case "datetime-local", "date-local", "time-local": // the decoder's marks of a time without an offset
		l.fault(path+".not_after", "write 2027-01-01T00:00:00Z, say", "needs a date, a time and an offset from UTC")
		return Key{}, false
	}
	if raw.NotAfter.given && notAfter.IsZero() {
		notAfter = notAfter.Add(-1) // the zero time itself means no end
	}
	if !notAfter.IsZero() && !l.Now.Before(notAfter) {
		l.warn(path+".not_after", "take the key out", "the key has ended: no token of it is accepted")
	}
	seed, seedOK := l.secret(l.need(Keys), path+".otp_seed", raw.OTPSeed, raw.OTPSeedFile)
	token, tokenOK := l.secret(l.need(Keys), path+".token_secret", raw.TokenSecret, raw.TokenSecretFile)
	if !seedOK || !tokenOK {
		return Key{}, false
	}
	// Each with a good counterpart, so that a fault has the name of its setting
	// and both can be reported.
	_, seedErr := auth.NewKey(seed.text, publishedSecret, notAfter)
	if seedErr != nil {
		l.fault(path+".otp_seed", "use the seed that the issuer has, or make a new key with `xtokend keygen`", "%v", seedErr)
	}
	_, tokenErr := auth.NewKey(publishedSeed, token.text, notAfter)
	if tokenErr != nil {
		l.fault(path+".token_secret", "use the secret that the issuer has, or make a new key with `xtokend keygen`", "%v", tokenErr)
	}
	if seedErr != nil || tokenErr != nil {
		return Key{}, false
	}
	key, err := auth.NewKey(seed.text, token.text, notAfter)
	if err != nil {
		l.fault(path, "", "%v", err)
		return Key{}, false
	}
	if bits := key.SeedBits(); bits < 128 {
		l.warn(path+".otp_seed", "change to the key that `xtokend keygen` prints, on the issuer too; keep this one beside it until then",
			"has %d bits; RFC 4226 asks for 128 or more", bits)
	}
	if n := len(token.text); n < minTokenSecretBytes {
		l.warn(path+".token_secret", "change to the key that `xtokend keygen` prints, on the issuer too; keep this one beside it until then",
			"has %d characters: who guesses it can log in as anybody", n)
	}
	if seed.text == publishedSeed || token.text == publishedSecret {
		l.warn(path, "change to the key that `xtokend keygen` prints, on the issuer too", "is the example from the documentation of mod_auth_token: anybody can sign tokens with it")
	}
	return Key{Key: key, NotAfter: notAfter}, true
}

// The example that the documentation of mod_auth_token gives.
const (
	publishedSeed   = "XVGR73KMZH2M4XMY"
	publishedSecret = "JYXEX4IQOEYFYQ2S3MC5P4ZT4SDHYEA7"
)
