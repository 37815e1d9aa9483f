package config_test

import (
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"xtokend/auth/replay"
	"xtokend/cmd/xtokend/internal/config"
)

// compare looks into everything but keys, secrets and certificates.
var compare = cmp.Options{
	cmpopts.IgnoreTypes(config.Secret{}),
	cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
	cmp.Comparer(func(a, b *time.Location) bool { return a.String() == b.String() }),
	cmpopts.IgnoreFields(config.Domain{}, "Keys"),
	cmpopts.IgnoreFields(config.TLS{}, "Pair"),
}

func TestDefaults(t *testing.T) {
	path := write(t, good)
	got, err := config.Load(path, everything())
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Warnings) > 0 {
		t.Errorf("warnings: %v", got.Warnings)
	}
	want := config.Config{
		Path:           path,
		Listeners:      []config.Listener{{Scheme: config.XMPP, Address: netip.MustParseAddrPort("127.0.0.1:5222"), Loopback: true}},
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("::1/128")},
		Domains: []config.Domain{{
			Name:       "example.org",
			Mechanisms: []string{"X-TOKEN", "HMAC", "PLAIN"},
			Skew:       1,
			Upstream:   config.UpstreamServer,
			Server: config.Server{
				Addresses: []string{"127.0.0.1:5322"}, TLS: config.Plaintext, ServerName: "example.org",
				Accounts: config.AccountsComponent, Protected: []string{"admin"},
			},
			Component: &config.Component{Address: "127.0.0.1:5347", Name: "xtoken.example.org", TLS: config.Plaintext},
		}},
		Replay: config.Replay{Store: config.ReplayFile, Path: filepath.Join(filepath.Dir(path), "replay.db")},
		Limits: config.Limits{
			AuthAttempts: 3, FailedPerMinutePerAddress: 120, IPv6Prefix: 64, Streams: 20000, Unauthenticated: 6000,
			ElementBytes: 262144, ElementDepth: 64, UpstreamElementBytes: 1048576, BOSHSessions: 5000, BOSHBufferBytes: 1048576,
			NegotiationTimeout: 30 * time.Second, WriteTimeout: 30 * time.Second,
		},
		Log: config.Log{Level: slog.LevelInfo, Format: config.LogText},
	}
	if diff := cmp.Diff(want, got, compare); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
	d := got.Domains[0]
	if d.Server.AccountSecret.Reveal() != accountSecret || d.Component.Secret.Reveal() != linkSecret || len(d.Keys) != 1 || d.Keys[0].SeedBits() != 160 {
		t.Error("a secret did not arrive")
	}
}

func TestEveryValue(t *testing.T) {
	dir := t.TempDir()
	writePair(t, dir, now.Add(-time.Hour), now.AddDate(0, 3, 0), "xn--mnchen-3ya.example", "chat.example.net")
	text := `listen = ["xmpp://[::]:5222", "xmpps://192.0.2.1:5223", "xmpp://[::1]:0",
	"https://[::]:5281", "http://127.0.0.1:5280", "http://192.0.2.1:5280", "http+insecure://127.0.0.1:5282"]
trusted_proxies = ["::1", "::ffff:192.0.2.7", "2001:db8::/32"]
allowed_origins = ["https://www.example.org", "HTTP://München.example:80", "https://[2001:DB8::0]:8443"]
[tls]
certificate = "fullchain.pem"
key = "privkey.pem"
[[domain]]
name = "MÜNCHEN.example."
mechanisms = ["PLAIN"]
skew = 0
fold_case = true
issuer_timezone = "Europe/Amsterdam"
upstream = "server"
public_urls = ["wss://chat.example.org/xmpp-websocket", "https://chat.example.org:8443/http-bind?a=b"]
[[domain.key]]
otp_seed = "` + seed + `"
token_secret = "` + tokenSecret + `"
not_after = 2027-01-01T00:00:00+01:00
[[domain.key]]
otp_seed = "` + seed + `"
token_secret = "another-secret"
[domain.server]
addresses = ["xmpp.internal:5322", "[2001:db8::1]:5322"]
tls = "starttls"
ca_file = "fullchain.pem"
server_name = "xmpp.internal"
accounts = "register"
account_secret = "` + accountSecret + `"
takeover = false
protected = ["Root", "jürgen"]
[[domain]]
name = "chat.example.net"
[[domain.key]]
otp_seed = "` + seed + `"
token_secret = "` + tokenSecret + `"
[domain.server]
tls = "direct"
account_secret = "` + accountSecret + `"
send_proxy = true
takeover = true
[domain.component]
address = "xmpp.internal:5348"
name = "xtoken.example.net"
secret = "` + linkSecret + `"
tls = "direct"
[replay]
store = "memory"
[limits]
auth_attempts = 1
failed_per_minute_per_address = 0
failed_per_minute_per_user = 7
ipv6_prefix = 56
streams = 1
streams_per_address = 2
unauthenticated = 1
element_bytes = 10000
element_depth = 16
upstream_element_bytes = 10001
bosh_sessions = 2
bosh_buffer_bytes = 10002
negotiation_timeout = "1s"
write_timeout = "10m"
[log]
level = "debug"
format = "json"
`
	path := filepath.Join(dir, "xtokend.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := config.Load(path, everything())
	if err != nil {
		t.Fatal(err)
	}
	amsterdam, err := time.LoadLocation("Europe/Amsterdam")
	if err != nil {
		t.Fatal(err)
	}
	want := config.Config{
		Path: path,
		Listeners: []config.Listener{
			{Scheme: config.XMPP, Address: netip.MustParseAddrPort("[::]:5222")},
			{Scheme: config.XMPPS, Address: netip.MustParseAddrPort("192.0.2.1:5223")},
			{Scheme: config.XMPP, Address: netip.MustParseAddrPort("[::1]:0"), Loopback: true},
			{Scheme: config.HTTPS, Address: netip.MustParseAddrPort("[::]:5281")},
			{Scheme: config.HTTP, Address: netip.MustParseAddrPort("127.0.0.1:5280"), Loopback: true},
			{Scheme: config.HTTP, Address: netip.MustParseAddrPort("192.0.2.1:5280")},
			{Scheme: config.HTTPInsecure, Address: netip.MustParseAddrPort("127.0.0.1:5282"), Loopback: true},
		},
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("192.0.2.7/32"), netip.MustParsePrefix("2001:db8::/32")},
		AllowedOrigins: []string{"https://www.example.org", "http://xn--mnchen-3ya.example", "https://[2001:db8::]:8443"},
		TLS:            &config.TLS{CertificatePath: filepath.Join(dir, "fullchain.pem"), KeyPath: filepath.Join(dir, "privkey.pem")},
		Domains: []config.Domain{{
			Name: "münchen.example", Mechanisms: []string{"PLAIN"}, FoldCase: true, IssuerTimezone: amsterdam,
			PublicURLs: []string{"wss://chat.example.org/xmpp-websocket", "https://chat.example.org:8443/http-bind?a=b"},
			Upstream:   config.UpstreamServer,
			Server: config.Server{
				Addresses: []string{"xmpp.internal:5322", "[2001:db8::1]:5322"}, TLS: config.STARTTLS,
				CAFile: filepath.Join(dir, "fullchain.pem"), ServerName: "xmpp.internal",
				Accounts: config.AccountsRegister, Protected: []string{"root", "jürgen"},
			},
		}, {
			Name: "chat.example.net", Mechanisms: []string{"X-TOKEN", "HMAC", "PLAIN"}, Skew: 1,
			Upstream: config.UpstreamServer,
			Server: config.Server{
				Addresses: []string{"127.0.0.1:5322"}, TLS: config.DirectTLS, ServerName: "chat.example.net",
				Accounts: config.AccountsComponent, SendProxy: true, Takeover: true, Protected: []string{"admin"},
			},
			Component: &config.Component{Address: "xmpp.internal:5348", Name: "xtoken.example.net", TLS: config.DirectTLS},
		}},
		Replay: config.Replay{Store: config.ReplayMemory},
		Limits: config.Limits{
			AuthAttempts: 1, FailedPerMinutePerUser: 7, IPv6Prefix: 56, Streams: 1, StreamsPerAddress: 2, Unauthenticated: 1,
			ElementBytes: 10000, ElementDepth: 16, UpstreamElementBytes: 10001, BOSHSessions: 2, BOSHBufferBytes: 10002,
			NegotiationTimeout: time.Second, WriteTimeout: 10 * time.Minute,
		},
		Log: config.Log{Level: slog.LevelDebug, Format: config.LogJSON},
	}
	ignore := cmp.Options{compare, cmpopts.IgnoreFields(config.Config{}, "Warnings"), cmpopts.IgnoreFields(config.Server{}, "RootCAs")}
	if diff := cmp.Diff(want, got, ignore); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
	if got.TLS.Pair.Leaf == nil || got.Domains[0].Server.RootCAs == nil || got.Domains[1].Server.RootCAs != nil {
		t.Error("certificates did not arrive")
	}
	keys := got.Domains[0].Keys
	if len(keys) != 2 || !keys[0].NotAfter.Equal(time.Date(2026, 12, 31, 23, 0, 0, 0, time.UTC)) || !keys[1].NotAfter.IsZero() {
		t.Errorf("keys %v", keys)
	}
	for i := range got.Domains {
		if v, err := got.Domains[i].Verifier(replay.NewMemory(replay.MemoryOptions{})); err != nil || v.Domain() != got.Domains[i].Name {
			t.Errorf("domain %d: verifier %v, error %v", i, v, err)
		}
	}
}

// Debian's bundle of certificate authorities has some 220 kB.
func TestLongBundleOfAuthorities(t *testing.T) {
	path := write(t, edit(t, good, `addresses`, "tls = 'direct'\nca_file = 'fullchain.pem'\naddresses"))
	certificate, _ := writePair(t, filepath.Dir(path), now.Add(-time.Hour), now.AddDate(0, 3, 0), "example.org")
	f, err := os.OpenFile(certificate, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteString(strings.Repeat("# a comment\n", 25_000))
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(path, everything())
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Domains[0].Server.RootCAs == nil {
		t.Error("the authorities did not arrive")
	}
}

// A command is not stopped by what it does not need.
func TestNeed(t *testing.T) {
	text := edit(t, good,
		`[[domain]]`, "[tls]\ncertificate = 'nowhere.pem'\nkey = 'nowhere.key'\n[[domain]]",
		`account_secret = "`+accountSecret+`"`, `account_secret_file = "nowhere"`,
		`secret = "`+linkSecret+`"`, "",
		`addresses`, "tls = 'direct'\nca_file = 'nowhere'\naddresses")
	path := write(t, text)
	o := everything()
	o.Need = config.Keys
	cfg, err := config.Load(path, o)
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.Domains[0].Keys) != 1 {
		t.Error("the key did not arrive")
	}
	_, err = config.Load(path, everything())
	if faults := faultsOf(t, err); len(faults) != 5 {
		t.Errorf("%d faults with everything needed: %v", len(faults), faults)
	}

	path = write(t, edit(t, good, seed, "!", tokenSecret, "é"))
	o.Need = config.AccountSecrets
	cfg, err = config.Load(path, o)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Domains[0].Server.AccountSecret.Reveal() != accountSecret || len(cfg.Domains[0].Keys) != 0 {
		t.Error("want the account secret and no key")
	}
}
