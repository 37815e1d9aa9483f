package metrics_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"
	"mellium.im/xmpp/jid"

	"xtokend/auth"
	"xtokend/auth/replay"
	"xtokend/cmd/xtokend/internal/metrics"
	"xtokend/component"
	"xtokend/component/upstream"
	"xtokend/sasl"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is what metrics are made of, under a test's control.
type world struct {
	*metrics.Metrics
	now      time.Time
	sessions map[component.SessionKind]int
}

func newWorld() *world {
	w := &world{now: time.Unix(1551193138, 0), sessions: map[component.SessionKind]int{{Domain: "example.org", Transport: "tcp+tls"}: 2}}
	w.Metrics = metrics.New("v1.2.3", "abc", func() time.Time { return w.now })
	w.Watch(metrics.Sources{
		Stats: func() component.Stats {
			return component.Stats{Sessions: maps.Clone(w.sessions), Unauthenticated: 3, FromClient: 10, ToClient: 20}
		},
		Limits:            func() map[string]int64 { return map[string]int64{"streams": 7} },
		Panics:            func() int64 { return 1 },
		Links:             func() map[string]bool { return map[string]bool{"example.org": true} },
		Domains:           func() []string { return []string{"example.org", "example.net"} },
		CertificateExpiry: func() time.Time { return time.Unix(1600000000, 0) },
		Draining:          func() bool { return false },
	})
	return w
}

// expect compares all metrics of the names in want.
func (w *world) expect(t *testing.T, want string) {
	t.Helper()
	names := map[string]bool{}
	for line := range strings.Lines(want) {
		if name, ok := strings.CutPrefix(line, "# TYPE "); ok {
			name, _, _ = strings.Cut(name, " ")
			names[name] = true
		}
	}
	if err := testutil.GatherAndCompare(w.Gatherer(), strings.NewReader(want), slices.Collect(maps.Keys(names))...); err != nil {
		t.Error(err)
	}
}

// everything happens once.
func (w *world) everything(t *testing.T) {
	w.Attempt(component.Attempt{Domain: "example.org", Mechanism: "PLAIN", Transport: "bosh", Reason: "expired"})
	w.Attempt(component.Attempt{Domain: "example.org", Mechanism: "X-TOKEN", Transport: "tcp+tls", Reason: component.ReasonOK,
		Acceptance: auth.Acceptance{Skew: -1, Key: 1, Bridge: true}})
	w.Reloaded(true)
	w.Reloaded(false)
	store := w.Store(replay.NewMemory(replay.MemoryOptions{}))
	use(t.Context(), store)
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	use(t.Context(), store)
	u := w.Upstream("example.org", opener{errors.New("down")})
	u.Open(t.Context(), jid.MustParse("alice@example.org"))
	w.PreviousSecret("example.org")()
}

func use(ctx context.Context, s replay.Store) error {
	return s.Use(ctx, replay.Use{Domain: "example.org", Address: "alice", Step: 10, Window: replay.Window{First: 9, Current: 10, Last: 11}})
}

type opener struct{ err error }

func (o opener) Open(context.Context, jid.JID) (net.Conn, error) { return nil, o.err }

func TestNamesAndHelpAreAsPrometheusWantsThem(t *testing.T) {
	w := newWorld()
	w.everything(t)
	problems, err := testutil.GatherAndLint(w.Gatherer())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestMetrics(t *testing.T) {
	w := newWorld()
	w.everything(t)
	w.sessions = map[component.SessionKind]int{{Domain: "example.org", Transport: "bosh"}: 1}
	w.expect(t, strings.Join([]string{
		"# HELP xtokend_sessions Sessions that have logged in.", "# TYPE xtokend_sessions gauge",
		`xtokend_sessions{domain="example.org",transport="bosh"} 1`,
		"# HELP xtokend_unauthenticated_sessions Sessions that have not logged in yet.", "# TYPE xtokend_unauthenticated_sessions gauge",
		"xtokend_unauthenticated_sessions 3",
		"# HELP xtokend_relayed_bytes_total Bytes that have passed after a login.", "# TYPE xtokend_relayed_bytes_total counter",
		`xtokend_relayed_bytes_total{direction="from_client"} 10`, `xtokend_relayed_bytes_total{direction="to_client"} 20`,
		"# HELP xtokend_limit_reached_total Times that a limit has turned somebody away or ended a session.", "# TYPE xtokend_limit_reached_total counter",
		`xtokend_limit_reached_total{limit="streams"} 7`,
		"# HELP xtokend_panics_total Sessions and requests that a fault in the program has ended.", "# TYPE xtokend_panics_total counter",
		"xtokend_panics_total 1",
		"# HELP xtokend_component_link_up Whether the component link is connected (1), or not (0).", "# TYPE xtokend_component_link_up gauge",
		`xtokend_component_link_up{domain="example.org"} 1`,
		"# HELP xtokend_upstream_up Whether the server has answered when a stream was last opened (1), or not (0). Absent before the first.", "# TYPE xtokend_upstream_up gauge",
		`xtokend_upstream_up{domain="example.org"} 0`,
		"# HELP xtokend_replay_store_up Whether the replay store has answered when it was last asked (1), or not (0). Absent before the first time.", "# TYPE xtokend_replay_store_up gauge",
		"xtokend_replay_store_up 0",
		"# HELP xtokend_certificate_expiry_timestamp_seconds When the certificate expires that is shown to clients.", "# TYPE xtokend_certificate_expiry_timestamp_seconds gauge",
		"xtokend_certificate_expiry_timestamp_seconds 1.6e+09",
		"# HELP xtokend_logins_total Attempts to log in that were answered. Reason ok: the client was let in. An empty mechanism: the client named none that the domain offers.", "# TYPE xtokend_logins_total counter",
		`xtokend_logins_total{domain="example.org",mechanism="PLAIN",reason="expired",transport="bosh"} 1`,
		`xtokend_logins_total{domain="example.org",mechanism="X-TOKEN",reason="ok",transport="tcp+tls"} 1`,
		"# HELP xtokend_key_used_total Accepted tokens by the key that has signed them: its place in the settings, counted from 0.", "# TYPE xtokend_key_used_total counter",
		`xtokend_key_used_total{domain="example.org",key="1"} 1`,
		"# HELP xtokend_issuer_timezone_used_total Accepted tokens that only issuer_timezone has admitted.", "# TYPE xtokend_issuer_timezone_used_total counter",
		`xtokend_issuer_timezone_used_total{domain="example.org"} 1`,
		"# HELP xtokend_previous_account_secret_used_total Logins to accounts that still had the password of the previous account secret.",
		"# TYPE xtokend_previous_account_secret_used_total counter",
		`xtokend_previous_account_secret_used_total{domain="example.org"} 1`,
		"# HELP xtokend_replay_store_failures_total Times that the replay store could not answer, or had no room.", "# TYPE xtokend_replay_store_failures_total counter",
		`xtokend_replay_store_failures_total{operation="revoke"} 0`, `xtokend_replay_store_failures_total{operation="use"} 1`,
		"# HELP xtokend_settings_reloads_total Times that the settings were read again.", "# TYPE xtokend_settings_reloads_total counter",
		`xtokend_settings_reloads_total{result="ok"} 1`, `xtokend_settings_reloads_total{result="refused"} 1`,
		"# HELP xtokend_settings_last_reload_successful Whether the settings could be used when they were last read (1), or not (0).", "# TYPE xtokend_settings_last_reload_successful gauge",
		"xtokend_settings_last_reload_successful 0",
		"# HELP xtokend_token_skew_seconds How far the issuer's clock was ahead (+) or behind (-) of ours, for accepted tokens, in whole steps of 30 seconds.", "# TYPE xtokend_token_skew_seconds histogram",
		skewBuckets(), `xtokend_token_skew_seconds_sum{domain="example.org"} -30`, `xtokend_token_skew_seconds_count{domain="example.org"} 1`, "",
	}, "\n"))
	if accepted, refused := w.Logins(); accepted != 1 || refused != 1 {
		t.Errorf("%d accepted, %d refused", accepted, refused)
	}
	// A kind of session of which none is left stays, as 0.
	clear(w.sessions)
	w.expect(t, "# HELP xtokend_sessions Sessions that have logged in.\n# TYPE xtokend_sessions gauge\n"+
		"xtokend_sessions{domain=\"example.org\",transport=\"bosh\"} 0\n")
}

// skewBuckets are those of one token 30 s behind.
func skewBuckets() string {
	var lines []string
	for _, le := range []string{"-300", "-150", "-90", "-60", "-30", "0", "30", "60", "90", "150", "300", "+Inf"} {
		n := 1
		if len(lines) < 4 {
			n = 0
		}
		lines = append(lines, fmt.Sprintf(`xtokend_token_skew_seconds_bucket{domain="example.org",le=%q} %d`, le, n))
	}
	return strings.Join(lines, "\n")
}

// What fails is down, but not for ever: if nobody is sent here for it, nobody
// finds out that it works again.
func TestUpstreamState(t *testing.T) {
	w := newWorld()
	refusal := &upstream.Refusal{Condition: sasl.NotAuthorized, Reason: "account-exists"}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, step := range []struct {
		name  string
		ctx   context.Context
		err   error
		later time.Duration
		want  metrics.State
	}{
		{"a client that does not wait", canceled, context.Canceled, 0, metrics.Unknown},
		{"a server that is down", t.Context(), errors.New("connection refused"), 29 * time.Second, metrics.Down},
		{"an answer", t.Context(), nil, time.Hour, metrics.Up},
		{"a refusal", t.Context(), refusal, 0, metrics.Up},
		{"a server that was down", t.Context(), errors.New("connection refused"), 30 * time.Second, metrics.Unknown},
	} {
		w.Upstream("example.org", opener{step.err}).Open(step.ctx, jid.MustParse("alice@example.org"))
		w.now = w.now.Add(step.later)
		if got := w.UpstreamState("example.org"); got != step.want {
			t.Errorf("%s: %s, want %s", step.name, got, step.want)
		}
	}
	if got := w.UpstreamState("example.net"); got != metrics.Unknown {
		t.Errorf("another domain's is %s", got)
	}
}

// stalled never answers.
type stalled struct{ replay.Store }

func (stalled) Use(ctx context.Context, _ replay.Use) error {
	<-ctx.Done()
	return ctx.Err()
}

func (stalled) Open(ctx context.Context, _ jid.JID) (net.Conn, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// Who asks with the last moment of his own time makes nothing look as if it were down.
func TestHowLongAnAnswerMayTake(t *testing.T) {
	for given, want := range map[time.Duration]metrics.State{
		time.Millisecond: metrics.Unknown, 999 * time.Millisecond: metrics.Unknown, time.Second: metrics.Down,
	} {
		t.Run(given.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				ctx, done := context.WithTimeout(t.Context(), given)
				defer done()
				w.Upstream("example.org", stalled{}).Open(ctx, jid.MustParse("alice@example.org"))
				if got := w.UpstreamState("example.org"); got != want {
					t.Errorf("the server is %s, want %s", got, want)
				}
				ctx, done = context.WithTimeout(t.Context(), given)
				defer done()
				use(ctx, w.Store(stalled{}))
				if got := w.StoreState(); got != want {
					t.Errorf("the store is %s, want %s", got, want)
				}
			})
		})
	}
}

func TestStoreState(t *testing.T) {
	w := newWorld()
	if got := w.StoreState(); got != metrics.Unknown {
		t.Errorf("before the first use: %s", got)
	}
	s := w.Store(replay.NewMemory(replay.MemoryOptions{}))
	if err := use(t.Context(), s); err != nil || w.StoreState() != metrics.Up {
		t.Errorf("a use: %v, %s", err, w.StoreState())
	}
	if err := use(t.Context(), s); !errors.Is(err, replay.ErrReplayed) || w.StoreState() != metrics.Up {
		t.Errorf("a second use is an answer too: %v, %s", err, w.StoreState())
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	r := replay.Revocation{Domain: "example.org", Address: "alice", Through: 10, Window: replay.Window{First: 9, Current: 10, Last: 11}}
	if err := s.Revoke(t.Context(), r); !errors.Is(err, replay.ErrClosed) || w.StoreState() != metrics.Down {
		t.Errorf("a store that is closed: %v, %s", err, w.StoreState())
	}
}

func BenchmarkAttempt(b *testing.B) {
	w := newWorld()
	b.ReportAllocs()
	for b.Loop() {
		w.Attempt(component.Attempt{Domain: "example.org", Mechanism: "X-TOKEN", Transport: "tcp+tls", Reason: component.ReasonOK})
	}
}

// The guide names every metric that there is, and no other.
func TestTheGuideHasAllMetrics(t *testing.T) {
	guide, err := os.ReadFile("../../../../doc/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(xtokend_[a-z_]+)` \\|([^|]*)\\|").FindAllStringSubmatch(string(guide), -1) {
		documented[m[1]+" "+strings.NewReplacer("`", "", ",", "").Replace(strings.TrimSpace(m[2]))] = true
	}
	w := newWorld()
	w.everything(t)
	families, err := w.Gatherer().Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "xtokend_") {
			continue
		}
		var labels []string
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, l.GetName())
		}
		found := false
		for line := range documented {
			name, given, _ := strings.Cut(line, " ")
			if name == f.GetName() && slices.Equal(slices.Sorted(slices.Values(strings.Fields(given))), labels) {
				found = true
				delete(documented, line)
			}
		}
		if !found {
			t.Errorf("the guide has no line for %s with the labels %q", f.GetName(), labels)
		}
	}
	for line := range documented {
		t.Errorf("the guide has a line for %q, and there is no such metric", line)
	}
}
