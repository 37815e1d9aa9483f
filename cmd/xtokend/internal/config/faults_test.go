package config_test

import (
	"strings"
	"testing"

	"xtokend/cmd/xtokend/internal/config"
)

const twoDomains = `[[domain]]
name = "example.net"
[[domain.key]]
otp_seed = "` + seed + `"
token_secret = "` + tokenSecret + `"
[domain.server]
accounts = "existing"
account_secret = "` + accountSecret + `"
[replay]`

// redisURL turns the good file's store into a Redis.
func redisURL(url string) []string {
	return []string{`path = "replay.db"`, "store = 'redis'\nurl = '" + url + "'"}
}

// Each file has exactly one fault.
var faultCases = []struct {
	name string
	edit []string // of the good file
	key  string
	text string
	hint string
}{
	{"not TOML", []string{`[log]`, `[log`}, "", "line 17, column", "quotes"},
	{"unquoted text", []string{`"example.org"`, `example.org`}, "", "line 3, column", "quotes"},
	{"duplicate key", []string{`[limits]`, "[limits]\nstreams = 1\nstreams = 2"}, "", "line 17", "quotes"},
	{"table for a value", []string{`[log]`, "[log.level]\n"}, "log.level", "must be a text in quotes", ""},
	{"value for a table", []string{`listen =`, "log = 1\nlisten =", "[log]\n", ""}, "log", "must be a table", "write [log]"},
	{"one bracket", []string{`[[domain.key]]`, `[domain.key]`}, "domain[0].key", "must be a list of tables", "[[domain.key]]"},
	{"two brackets", []string{`[limits]`, `[[limits]]`}, "limits", "must be a table", "[limits]"},

	{"unknown key", []string{`otp_seed =`, "colour = 1\notp_seed ="}, "domain[0].key[0].colour", "unknown key", ""},
	{"misspelt key", []string{`otp_seed =`, "not_afer = 1\notp_seed ="}, "domain[0].key[0].not_afer", "unknown key", "did you mean not_after?"},
	{"key in capitals", []string{`[log]`, "[log]\nLevel = 'info'"}, "log.Level", "unknown key", "did you mean level?"},
	{"key of another table", []string{`listen`, "skew = 1\nlisten"}, "skew", "unknown key", "skew of [[domain]]"},
	{"unknown table", []string{`[log]`, "[logs]"}, "logs", "unknown key", "did you mean log?"},

	{"text for a number", []string{`[limits]`, "[limits]\nstreams = '20'"}, "limits.streams", "must be a whole number", ""},
	{"fraction for a number", []string{`[limits]`, "[limits]\nstreams = 2.5"}, "limits.streams", "must be a whole number", ""},
	{"text for a truth", []string{`name = "example.org"`, "name = 'example.org'\nfold_case = 'yes'"}, "domain[0].fold_case", "must be true or false", ""},
	{"number for a text", []string{`[log]`, "[log]\nlevel = 3"}, "log.level", "must be a text in quotes", ""},
	{"number for a secret", []string{`"` + seed + `"`, "12345678"}, "domain[0].key[0].otp_seed", "must be a text in quotes", ""},
	{"text for a list", []string{`["127.0.0.1:5322"]`, "'127.0.0.1:5322'"}, "domain[0].server.addresses", "must be a list of texts in quotes", ""},
	{"numbers in a list", []string{`["127.0.0.1:5322"]`, "[5322]"}, "domain[0].server.addresses", "must be a list of texts in quotes", ""},

	{"name of a node with a hyphen", []string{`listen =`, "node = 'n-1'\nlisten ="}, "node", "small letters and digits", "n1"},
	{"long name of a node", []string{`listen =`, "node = '123456789012345678901234567890123'\nlisten ="}, "node", "small letters and digits", "n1"},
	{"no listener", []string{`["xmpp://127.0.0.1:5222"]`, `[]`}, "listen", "is empty", "xmpp://"},
	{"listener without a scheme", []string{`xmpp://127.0.0.1:5222`, `127.0.0.1:5222`}, "listen[0]", "is not an address to listen on", "xmpp://"},
	{"listener with an unknown scheme", []string{`xmpp://`, `ftp://`}, "listen[0]", `"ftp" is not a scheme`, "xmpp://"},
	{"listener with a name", []string{`127.0.0.1:5222`, `localhost:5222`}, "listen[0]", "needs an IP address and a port", "127.0.0.1"},
	{"listener without a port", []string{`127.0.0.1:5222`, `127.0.0.1`}, "listen[0]", "needs an IP address and a port", "xmpp://"},
	{"listener with a path", []string{`127.0.0.1:5222`, `127.0.0.1:5222/x`}, "listen[0]", "more than scheme, address and port", ""},
	{"listener twice", []string{`["xmpp://127.0.0.1:5222"]`, `["xmpp://127.0.0.1:5222", "xmpp://127.0.0.1:5222"]`}, "listen[1]", "listed twice", ""},
	{"listener twice in two forms", []string{`["xmpp://127.0.0.1:5222"]`, `["xmpp://127.0.0.1:5222", "xmpp://[::ffff:127.0.0.1]:5222"]`}, "listen[1]", "127.0.0.1:5222 is listed twice", ""},
	{"xmpp beyond loopback without TLS", []string{`127.0.0.1:5222`, `[::]:5222`}, "listen[0]", "needs a certificate", "[tls]"},
	{"xmpps without TLS", []string{`xmpp://`, `xmpps://`}, "listen[0]", "needs a certificate", "[tls]"},

	{"https without TLS", []string{`xmpp://`, `https://`}, "listen[0]", "https://127.0.0.1:5222 needs a certificate", "[tls]"},
	{"http beyond loopback", []string{`xmpp://127.0.0.1`, `http://192.0.2.1`}, "listen[0]", "http://192.0.2.1:5222 is not encrypted, and no proxy beyond loopback is trusted", "trusted_proxies"},
	{"http on every address", []string{`xmpp://127.0.0.1`, `http://[::]`}, "listen[0]", "is not encrypted", "http+insecure://"},
	{"http beyond loopback, proxies on loopback", []string{`["xmpp://127.0.0.1:5222"]`, "[\"http://0.0.0.0:5280\"]\ntrusted_proxies = ['127.0.0.0/8', '::1']"}, "listen[0]", "no proxy beyond loopback", "https://"},
	{"http and xmpp on one port", []string{`["xmpp://127.0.0.1:5222"]`, `["xmpp://127.0.0.1:5222", "http://127.0.0.1:5222"]`}, "listen[1]", "listed twice", ""},

	{"proxy with a name", []string{`[[domain]]`, "trusted_proxies = ['proxy.example']\n[[domain]]"}, "trusted_proxies[0]", "is neither an IP address nor a prefix", "10.0.0.0/8"},
	{"proxy with a port", []string{`[[domain]]`, "trusted_proxies = ['192.0.2.1:80']\n[[domain]]"}, "trusted_proxies[0]", "is neither an IP address nor a prefix", "192.0.2.1"},
	{"proxy with a zone", []string{`[[domain]]`, "trusted_proxies = ['::1', 'fe80::1%eth0']\n[[domain]]"}, "trusted_proxies[1]", "is neither an IP address nor a prefix", ""},
	{"prefix that is too long", []string{`[[domain]]`, "trusted_proxies = ['192.0.2.0/33']\n[[domain]]"}, "trusted_proxies[0]", "is neither an IP address nor a prefix", ""},
	{"prefix with more bits", []string{`[[domain]]`, "trusted_proxies = ['192.0.2.1/24']\n[[domain]]"}, "trusted_proxies[0]", "more bits set than the prefix is long", `"192.0.2.0/24", or "192.0.2.1"`},
	{"prefix of IPv4 in IPv6", []string{`[[domain]]`, "trusted_proxies = ['::ffff:192.0.2.0/120']\n[[domain]]"}, "trusted_proxies[0]", "IPv4 addresses written as IPv6", "IPv4"},

	{"origin without a scheme", []string{`[[domain]]`, "allowed_origins = ['www.example.org']\n[[domain]]"}, "allowed_origins[0]", "is not an origin", "https://www.example.org"},
	{"origin with a path", []string{`[[domain]]`, "allowed_origins = ['https://www.example.org/']\n[[domain]]"}, "allowed_origins[0]", "has more than scheme, host and port", "https://www.example.org"},
	{"origin of the WebSocket", []string{`[[domain]]`, "allowed_origins = ['wss://chat.example.org']\n[[domain]]"}, "allowed_origins[0]", `"wss://chat.example.org" is no page's origin`, `write "https://www.example.org", say: the origin of the page`},
	{"origin that is the WebSocket's address", []string{`[[domain]]`, "allowed_origins = ['https://www.example.org', 'WS://chat.example.org/xmpp-websocket']\n[[domain]]"}, "allowed_origins[1]", "is no page's origin", "not the address that it connects to"},
	{"origin of XMPP", []string{`[[domain]]`, "allowed_origins = ['xmpp://example.org:5222']\n[[domain]]"}, "allowed_origins[0]", "is no page's origin", "https://www.example.org"},
	{"origin of nothing", []string{`[[domain]]`, "allowed_origins = ['null']\n[[domain]]"}, "allowed_origins[0]", "tells none of them apart", ""},
	{"origin with a wildcard", []string{`[[domain]]`, "allowed_origins = ['https://*.example.org']\n[[domain]]"}, "allowed_origins[0]", "has a wildcard", ""},
	{"origin with a bad port", []string{`[[domain]]`, "allowed_origins = ['https://www.example.org:65536']\n[[domain]]"}, "allowed_origins[0]", "has no valid port", ""},
	{"origin twice", []string{`[[domain]]`, "allowed_origins = ['https://www.example.org', 'HTTPS://www.example.org:443']\n[[domain]]"}, "allowed_origins[1]", `"https://www.example.org" is listed twice`, ""},
	{"any origin, and one", []string{`[[domain]]`, "allowed_origins = ['https://www.example.org', '*']\n[[domain]]"}, "allowed_origins[1]", "is any origin", "leave"},

	{"public URL in clear", []string{`name =`, "public_urls = ['ws://chat.example.org/xmpp-websocket']\nname ="}, "domain[0].public_urls[0]", "is not encrypted", "wss://"},
	{"public URL of something else", []string{`name =`, "public_urls = ['xmpps://chat.example.org']\nname ="}, "domain[0].public_urls[0]", "neither of WebSocket nor of BOSH", "https://"},
	{"public URL without a scheme", []string{`name =`, "public_urls = ['wss://chat.example.org/', '/http-bind']\nname ="}, "domain[0].public_urls[1]", "is not an absolute URL", "https://"},
	{"public URL with a fragment", []string{`name =`, "public_urls = ['https://chat.example.org/http-bind#']\nname ="}, "domain[0].public_urls[0]", "has a user or a fragment", ""},
	{"public URL twice", []string{`name =`, "public_urls = ['wss://chat.example.org/', 'wss://chat.example.org/']\nname ="}, "domain[0].public_urls[1]", "is listed twice", ""},

	{"certificate without a key", []string{`[log]`, "[tls]\ncertificate = 'c.pem'"}, "tls.key", "is missing", "privkey.pem"},
	{"key without a certificate", []string{`[log]`, "[tls]\nkey = 'k.pem'"}, "tls.certificate", "is missing", "fullchain.pem"},

	{"no name", []string{`name = "example.org"`, ""}, "domain[0].name", "is missing", "example.org"},
	{"name with a space", []string{`"example.org"`, `"exa mple.org"`}, "domain[0].name", "is not the name of a domain", ""},
	{"name with a localpart", []string{`"example.org"`, `"a@example.org"`}, "domain[0].name", "is not the name of a domain", ""},
	{"name with a resource", []string{`"example.org"`, `"example.org/x"`}, "domain[0].name", "is not the name of a domain", ""},
	{"domain twice", []string{`[replay]`, twoDomains, `"example.net"`, `"EXAMPLE.org"`}, "domain[1].name", "is the value of domain[0].name already", ""},
	{"component named as the domain", []string{`"xtoken.example.org"`, `"example.org"`}, "domain[0].component.name", "is the value of domain[0].name already", ""},
	{"no mechanism", []string{`name =`, "mechanisms = []\nname ="}, "domain[0].mechanisms", "is empty", `"X-TOKEN", "HMAC" or "PLAIN"`},
	{"unknown mechanism", []string{`name =`, "mechanisms = ['PLAIN', 'SCRAM-SHA-1']\nname ="}, "domain[0].mechanisms[1]", `"SCRAM-SHA-1" is not a mechanism that takes a token`, `"X-TOKEN"`},
	{"mechanism twice", []string{`name =`, "mechanisms = ['PLAIN', 'PLAIN']\nname ="}, "domain[0].mechanisms[1]", "is listed twice", ""},
	{"negative skew", []string{`name =`, "skew = -1\nname ="}, "domain[0].skew", "-1 is out of bounds: from 0 to 10", ""},
	{"large skew", []string{`name =`, "skew = 11\nname ="}, "domain[0].skew", "11 is out of bounds: from 0 to 10", ""},
	{"unknown time zone", []string{`name =`, "issuer_timezone = 'Europe/Amstredam'\nname ="}, "domain[0].issuer_timezone", "is not a time zone", "Europe/Amsterdam"},
	{"this machine's time zone", []string{`name =`, "issuer_timezone = 'Local'\nname ="}, "domain[0].issuer_timezone", "is not a time zone", "Europe/Amsterdam"},
	{"host beside a server", []string{`[replay]`, "[domain.host]\n[replay]"}, "domain[0].host", `has no effect with upstream = "server"`, `upstream = "host"`},
	{"unknown upstream", []string{`name =`, "upstream = 'moon'\nname ="}, "domain[0].upstream", `"moon" is not a value`, `use "server"`},

	{"no key", []string{"[[domain.key]]\n", "", `otp_seed = "` + seed + `"`, "", `token_secret = "` + tokenSecret + `"`, ""}, "domain[0].key", "the domain has no key", "keygen"},
	{"no seed", []string{`otp_seed = "` + seed + `"`, ""}, "domain[0].key[0].otp_seed", "is missing", "XTOKEND_DOMAIN_0_KEY_0_OTP_SEED"},
	{"seed twice", []string{`otp_seed =`, "otp_seed_file = 'seed'\notp_seed ="}, "domain[0].key[0].otp_seed", "is given more than once", "keep one"},
	{"seed file missing", []string{`otp_seed = "` + seed + `"`, "otp_seed_file = 'nowhere'"}, "domain[0].key[0].otp_seed_file", "no such file", "readable"},
	{"seed not base32", []string{seed, "0189!"}, "domain[0].key[0].otp_seed", "not base32", "keygen"},
	{"secret not ASCII", []string{tokenSecret, "sécret"}, "domain[0].key[0].token_secret", "not a printable ASCII character", "keygen"},
	{"empty secret", []string{tokenSecret, ""}, "domain[0].key[0].token_secret", "is missing", "XTOKEND_DOMAIN_0_KEY_0_TOKEN_SECRET"},
	{"secret on two lines", []string{linkSecret, linkSecret + `\n` + linkSecret}, "domain[0].component.secret", "the setting must hold the secret on one line", ""},
	{"secret of a line end", []string{linkSecret, `\n`}, "domain[0].component.secret", "the setting must hold the secret on one line", ""},
	{"secret file that is a device", []string{`token_secret = "` + tokenSecret + `"`, "token_secret_file = '/dev/zero'"}, "domain[0].key[0].token_secret_file", "no regular file", ""},
	{"end without an offset", []string{`otp_seed =`, "not_after = 2027-01-01T00:00:00\notp_seed ="}, "domain[0].key[0].not_after", "offset from UTC", "2027-01-01T00:00:00Z"},
	{"end without a time", []string{`otp_seed =`, "not_after = 2027-01-01\notp_seed ="}, "domain[0].key[0].not_after", "offset from UTC", "2027-01-01T00:00:00Z"},
	{"end as text", []string{`otp_seed =`, "not_after = '2027-01-01'\notp_seed ="}, "domain[0].key[0].not_after", "must be a date and time", ""},

	{"too many keys", []string{"[[domain.key]]\n", strings.Repeat("[[domain.key]]\notp_seed = '"+seed+"'\ntoken_secret = '"+tokenSecret+"'\n", 64) + "[[domain.key]]\n"}, "domain[0]", "65 keys; 64 are allowed", ""},

	{"no address", []string{`["127.0.0.1:5322"]`, `[]`}, "domain[0].server.addresses", "is empty", "127.0.0.1:5322"},
	{"address without a port", []string{`127.0.0.1:5322`, `127.0.0.1`}, "domain[0].server.addresses[0]", "is not an address and a port", "127.0.0.1:5322"},
	{"address with port 0", []string{`127.0.0.1:5322`, `127.0.0.1:0`}, "domain[0].server.addresses[0]", "is not an address and a port", ""},
	{"plaintext beyond loopback", []string{`127.0.0.1:5322`, `192.0.2.1:5322`}, "domain[0].server.addresses[0]", "is not a loopback address", `"starttls"`},
	{"plaintext to a name", []string{`127.0.0.1:5322`, `localhost:5322`}, "domain[0].server.addresses[0]", "is not a loopback address", "127.0.0.1"},
	{"unknown protection", []string{`addresses`, "tls = 'ssl'\naddresses"}, "domain[0].server.tls", `"ssl" is not a value`, `"none", "starttls" or "direct"`},
	{"authorities without TLS", []string{`addresses`, "ca_file = 'ca.pem'\naddresses"}, "domain[0].server.ca_file", "has no effect", "set tls"},
	{"authorities missing", []string{`addresses`, "tls = 'direct'\nca_file = 'ca.pem'\naddresses"}, "domain[0].server.ca_file", "no such file", ""},
	{"server name without TLS", []string{`addresses`, "server_name = 'x.example'\naddresses"}, "domain[0].server.server_name", "has no effect", "set tls"},
	{"unknown accounts", []string{`addresses`, "accounts = 'magic'\naddresses"}, "domain[0].server.accounts", `"magic" is not a value`, `"component", "register" or "existing"`},
	{"component missing", []string{"[domain.component]\nname = \"xtoken.example.org\"\nsecret = \"" + linkSecret + "\"\n", ""}, "domain[0].server.accounts", "needs a component link", "[domain.component]"},
	{"takeover with register", []string{`addresses`, "accounts = 'register'\ntakeover = true\naddresses"}, "domain[0].server.takeover", "cannot set the password", `accounts = "component"`},
	{"takeover with existing", []string{`addresses`, "accounts = 'existing'\ntakeover = true\naddresses"}, "domain[0].server.takeover", "cannot set the password", `accounts = "component"`},
	{"no account secret", []string{`account_secret = "` + accountSecret + `"`, ""}, "domain[0].server.account_secret", "is missing", "XTOKEND_DOMAIN_0_SERVER_ACCOUNT_SECRET"},
	{"short previous secret", []string{`addresses`, "account_secret_previous = 'short'\naddresses"}, "domain[0].server.account_secret_previous", "has 5 characters; it must have 32 or more", "the account secret that was replaced"},
	{"two previous secrets", []string{`addresses`, "account_secret_previous = 'short'\naccount_secret_previous_file = 'x'\naddresses"}, "domain[0].server.account_secret_previous", "is given more than once", "keep one of them"},
	{"no file of the previous secret", []string{`addresses`, "account_secret_previous_file = 'nowhere'\naddresses"}, "domain[0].server.account_secret_previous_file", "no such file", "must exist and be readable"},
	{"previous secret of no text", []string{`addresses`, "account_secret_previous = 7\naddresses"}, "domain[0].server.account_secret_previous", "must be a text", ""},
	{"short account secret", []string{accountSecret, strings.Repeat("x", 31)}, "domain[0].server.account_secret", "has 31 characters; it must have 32 or more", "openssl rand -base64 32"},
	{"protected address", []string{`addresses`, "protected = ['admin@example.org']\naddresses"}, "domain[0].server.protected[0]", "cannot be the name of a user", "before the @"},

	{"component without a name", []string{`name = "xtoken.example.org"`, ""}, "domain[0].component.name", "is missing", "xtoken.example.org"},
	{"component without a secret", []string{`secret = "` + linkSecret + `"`, ""}, "domain[0].component.secret", "is missing", "XTOKEND_DOMAIN_0_COMPONENT_SECRET"},
	{"component in plaintext beyond loopback", []string{`[domain.component]`, "[domain.component]\naddress = '192.0.2.1:5347'"}, "domain[0].component.address", "is not a loopback address", `"direct"`},
	{"component with STARTTLS", []string{`[domain.component]`, "[domain.component]\ntls = 'starttls'"}, "domain[0].component.tls", `"starttls" is not a value`, `"none" or "direct"`},

	{"unknown store", []string{`path = "replay.db"`, `store = "tape"`}, "replay.store", `"tape" is not a value`, `"memory", "file" or "redis"`},
	{"file store with a url", []string{`path =`, "url = 'redis://127.0.0.1'\npath ="}, "replay.url", `has no effect with store = "file"`, `store = "redis"`},
	{"memory store with sentinels", []string{`path = "replay.db"`, "store = 'memory'\nsentinel = 'chat'"}, "replay.sentinel", `has no effect with store = "memory"`, `store = "redis"`},
	{"redis with a path", []string{`path =`, "store = 'redis'\npath ="}, "replay.path", `has no effect with store = "redis"`, `store = "file"`},
	{"redis url without a scheme", redisURL("127.0.0.1:6379"), "replay.url", "is not the address of a Redis", "redis://"},
	{"redis url of another scheme", redisURL("http://127.0.0.1:6379"), "replay.url", "is not the address of a Redis", "redis://"},
	{"redis url without a host", redisURL("redis://:6379"), "replay.url", "is not the address of a Redis", "redis://"},
	{"redis url with a bad port", redisURL("redis://127.0.0.1:0"), "replay.url", "is not the address of a Redis", "redis://"},
	{"redis url with an empty host", redisURL("redis://127.0.0.1,"), "replay.url", "is not the address of a Redis", "redis://"},
	{"redis url with a bad address", redisURL("redis://::1"), "replay.url", "is not the address of a Redis", "redis://"},
	{"redis url with half a bracket", redisURL("redis://[::1"), "replay.url", "is not the address of a Redis", "redis://"},
	{"redis url with a query", redisURL("redis://127.0.0.1?db=1"), "replay.url", "is not the address of a Redis", "redis://"},
	{"redis url with a name for a database", redisURL("redis://127.0.0.1/chat"), "replay.url", "is not the address of a Redis", "redis://"},
	{"redis url with a bad escape", redisURL("redis://%zz@127.0.0.1"), "replay.url", "is not the address of a Redis", "redis://"},
	{"redis cluster with a database", redisURL("redis://127.0.0.1:1,127.0.0.1:2/3"), "replay.url", "no database 3", "sentinel"},
	{"redis in clear with a ca_file", redisURL("redis://127.0.0.1'\nca_file = 'ca.pem"), "replay.ca_file", "not encrypted", "rediss://"},
	{"redis without its ca_file", redisURL("rediss://127.0.0.1'\nca_file = 'absent.pem"), "replay.ca_file", "cannot read", ""},
	{"redis without its password_file", redisURL("redis://127.0.0.1'\npassword_file = 'absent"), "replay.password_file", "cannot read", "must exist"},
	{"redis with two passwords", redisURL("redis://:secret@127.0.0.1'\npassword_file = 'absent"), "replay.password", "given more than once", "keep one"},
	{"memory store with a path", []string{`path =`, "store = 'memory'\npath ="}, "replay.path", "has no effect", "leave it out"},

	{"small element", []string{`[limits]`, "[limits]\nelement_bytes = 9999"}, "limits.element_bytes", "9999 is out of bounds: from 10000", ""},
	{"small element from the server", []string{`[limits]`, "[limits]\nupstream_element_bytes = 9999"}, "limits.upstream_element_bytes", "9999 is out of bounds: from 10000", ""},
	{"no BOSH session", []string{`[limits]`, "[limits]\nbosh_sessions = 0"}, "limits.bosh_sessions", "0 is out of bounds: from 1", ""},
	{"small BOSH buffer", []string{`[limits]`, "[limits]\nbosh_buffer_bytes = 9999"}, "limits.bosh_buffer_bytes", "9999 is out of bounds: from 10000", ""},
	{"no attempt", []string{`[limits]`, "[limits]\nauth_attempts = 0"}, "limits.auth_attempts", "0 is out of bounds: from 1", ""},
	{"long prefix", []string{`[limits]`, "[limits]\nipv6_prefix = 129"}, "limits.ipv6_prefix", "129 is out of bounds: from 1 to 128", ""},
	{"timeout without a unit", []string{`[limits]`, "[limits]\nwrite_timeout = '30'"}, "limits.write_timeout", "is not a length of time", `"30s"`},
	{"timeout as a number", []string{`[limits]`, "[limits]\nwrite_timeout = 30"}, "limits.write_timeout", "must be a text in quotes", ""},
	{"timeout of nothing", []string{`[limits]`, "[limits]\nnegotiation_timeout = '0s'"}, "limits.negotiation_timeout", "0s is out of bounds: from 1s to 10m0s", ""},
	{"unknown log level", []string{`[log]`, "[log]\nlevel = 'loud'"}, "log.level", `"loud" is not a value`, `"debug", "info", "warn" or "error"`},
	{"unknown log format", []string{`[log]`, "[log]\nformat = 'xml'"}, "log.format", `"xml" is not a value`, `"text" or "json"`},
}

func TestFaults(t *testing.T) {
	for _, c := range faultCases {
		t.Run(c.name, func(t *testing.T) {
			_, err := config.Load(write(t, edit(t, good, c.edit...)), everything())
			faults := faultsOf(t, err)
			if len(faults) != 1 {
				t.Fatalf("%d faults: %v", len(faults), faults)
			}
			f := faults[0]
			if f.Key != c.key || !strings.Contains(f.Text, c.text) || !strings.Contains(f.Hint, c.hint) {
				t.Errorf("got key %q, text %q, hint %q\nwant key %q, text with %q, hint with %q", f.Key, f.Text, f.Hint, c.key, c.text, c.hint)
			}
			if text := f.String() + f.Hint; strings.Contains(text, seed) || strings.Contains(text, tokenSecret) || strings.Contains(text, accountSecret) {
				t.Errorf("a secret is shown: %s", text)
			}
		})
	}
}

func TestAllFaultsAtOnce(t *testing.T) {
	text := edit(t, good,
		`xmpp://127.0.0.1:5222`, `xmpps://127.0.0.1:5223`,
		`name = "example.org"`, "name = 7\nskew = 99",
		seed, "!", tokenSecret, "é",
		accountSecret, "short",
		`[limits]`, "[limits]\nstreams = 0\ncolour = 1\nbosh_sessions = 0",
		`[log]`, "[log]\nlevel = 'loud'")
	_, err := config.Load(write(t, text), everything())
	got := map[string]bool{}
	for _, f := range faultsOf(t, err) {
		got[f.Key] = true
	}
	for _, key := range []string{"listen[0]", "domain[0].name", "domain[0].skew", "domain[0].key[0].otp_seed", "domain[0].key[0].token_secret",
		"domain[0].server.account_secret", "limits.streams", "limits.colour", "limits.bosh_sessions", "log.level"} {
		if !got[key] {
			t.Errorf("%s is not reported: %v", key, err)
		}
	}
	if len(got) != 10 {
		t.Errorf("%d keys are reported: %v", len(got), err)
	}
}

func TestFileThatCannotBeRead(t *testing.T) {
	_, err := config.Load(t.TempDir()+"/nowhere.toml", everything())
	if f := faultsOf(t, err)[0]; !strings.Contains(f.Text, "no such file") || !strings.Contains(f.Hint, "--config") {
		t.Errorf("got %q, hint %q", f, f.Hint)
	}
	_, err = config.Load(write(t, strings.Repeat("#", 1<<20+1)), everything())
	if f := faultsOf(t, err)[0]; !strings.Contains(f.Text, "too long") {
		t.Errorf("got %q", f)
	}
	_, err = config.Load(write(t, good+strings.Repeat("#", 1<<20-len(good))), everything())
	if err != nil {
		t.Errorf("a file of the largest size: %v", err)
	}
	_, err = config.Load(write(t, ""), everything())
	if f := faultsOf(t, err); !strings.Contains(f.Error(), "no domain is configured") {
		t.Errorf("an empty file: %q", f)
	}
}
