package replay

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// RedisOptions are the settings of a [Redis]. The zero value of every field but Addresses is usable.
type RedisOptions struct {
	// Addresses are host:port of one server, of several servers of one cluster, or with Master of the sentinels.
	Addresses []string
	// Master is the name by which sentinels know the server. Sentinels are asked without a password.
	Master string
	// Username and Password are for the servers (AUTH); without a name the password is that of the default user.
	Username, Password string
	DB                 int         // number of the database, 0 with a cluster
	TLS                *tls.Config // to servers and sentinels; nil: in clear

	Max     int              // as in MemoryOptions
	Now     func() time.Time // nil: time.Now
	Timeout time.Duration    // bounds one command, connecting included; 0: two seconds
	// Interval is the time between two looks at the server, which find lost records and tell Log; 0: five seconds.
	Interval time.Duration
	Log      *slog.Logger // told of losses, and when the store is unavailable and available again; nil: nobody
}

const (
	defaultRedisTimeout  = 2 * time.Second
	defaultRedisInterval = 5 * time.Second
)

// Redis is a [Store] in a Redis (6 or later) or Valkey server, which several processes, the nodes, share: a token that
// was used at one is refused at all. Each use is one script, which Redis runs as a whole.
//
// A Redis may forget: restarted without its last writes, wiped, replaced, or by failover to a replica that lacks them.
// A marker in it tells the nodes. Who first finds none, another than before, or one made with another process of Redis,
// sets a floor, in the same script as his use: the tokens that may have been used before are refused with [ErrLost], by
// all nodes, for about 90 seconds. So any restart of Redis and any failover costs that time, whatever it has
// persisted; and so does a new, empty Redis, which looks like a wiped one.
//
// What that does not cover: a primary that is cut off and still answers some nodes while a replica, promoted in its
// place, answers others. Redis' own min-replicas-to-write and min-replicas-max-lag bound it.
//
// A maxmemory-policy other than noeviction forgets in silence; nothing is accepted under it.
type Redis struct {
	client   redis.UniversalClient
	max      int
	now      func() time.Time
	timeout  time.Duration
	interval time.Duration
	log      *slog.Logger

	mu     sync.Mutex // a leaf: never held over I/O
	marker string     // as seen last; "" before the first answer
	closed bool
	err    error // of the last look

	stop      context.CancelFunc
	done      <-chan struct{} // closed by stop
	watching  sync.WaitGroup
	closeOnce sync.Once
	closeErr  error
}

var _ Store = (*Redis)(nil)

//go:embed redis.lua
var redisSource string

var redisScript = redis.NewScript(redisSource)

// The keys of all domains have one hash tag, and so are in one slot of a cluster: the bound and the floor are common
// to all domains.
const (
	redisPrefix  = "xtokend:{replay}:"
	redisState   = redisPrefix + "state"
	redisChannel = redisPrefix + "revoked"
)

func redisRevocations(domain string) string { return redisPrefix + "revocations:" + domain }

func redisKeys(domain string) []string {
	return []string{
		redisState, redisPrefix + "uses:" + domain, redisRevocations(domain), redisPrefix + "released:" + domain,
	}
}

// maxRedisStep is the largest number that Lua holds exactly.
const maxRedisStep = 1 << 53

var errRedisStep = errors.New("replay: redis: a step beyond what the store can hold")

// OpenRedis returns a store in the server that o names. A server that cannot be reached, or is loading, is no error: its
// store refuses uses until it can. One that would never do is: it wants another password, forbids the commands, or
// evicts records. The caller closes the store.
func OpenRedis(ctx context.Context, o RedisOptions) (*Redis, error) {
	client, err := newRedisClient(&o)
	if err != nil {
		return nil, err
	}
	r := &Redis{
		client: client, max: o.Max, now: o.Now, timeout: o.Timeout, interval: o.Interval, log: o.Log,
	}
	if r.max <= 0 {
		r.max = DefaultMax
	}
	if r.now == nil {
		r.now = time.Now
	}
	if r.interval <= 0 {
		r.interval = defaultRedisInterval
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	err = r.mark(ctx)
	if isLasting(err) {
		return nil, errors.Join(err, client.Close())
	}
	open, stop := context.WithCancel(context.Background())
	r.stop, r.done = stop, open.Done()
	r.err = err
	r.watching.Go(func() { r.watch(open, err) })
	return r, nil
}

// Use implements [Store]. The time limit of the options bounds it too. When either ends first, the use may still be
// recorded; its token is to be refused.
func (r *Redis) Use(ctx context.Context, u Use) error {
	return r.run(ctx, "use", u.Domain, u.Window, u.Step, r.max, u.Address, string(u.ID[:]), u.Step)
}

// Revoke implements [Store]. A revocation is told to all nodes, this one included, see [Redis.Revocations].
func (r *Redis) Revoke(ctx context.Context, v Revocation) error {
	message, err := json.Marshal(revocationMessage{v.Domain, v.Address, v.Through})
	if err != nil {
		return fmt.Errorf("replay: redis: %w", err)
	}
	return r.run(ctx, "revoke", v.Domain, v.Window, v.Through, r.max, v.Address, v.Through, redisChannel, message)
}

// mark finds out whether records were lost, and makes a new store's marker.
func (r *Redis) mark(ctx context.Context) error {
	current := r.now().Unix() / StepSeconds
	return r.run(ctx, "mark", "", Window{First: current, Current: current, Last: current}, current)
}

// run runs the script, whose text names the arguments.
func (r *Redis) run(ctx context.Context, operation, domain string, w Window, step int64, arguments ...any) error {
	for _, n := range []int64{w.First, w.Current, w.Last, step} {
		if n > maxRedisStep || n < -maxRedisStep {
			return errRedisStep
		}
	}
	seen, open := r.seen()
	if !open {
		return ErrClosed
	}
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	arguments = append([]any{operation, seen, rand.Text(), w.First, w.Current, w.Last - w.Current}, arguments...)
	answer, err := redisScript.Run(ctx, scripter{r.client}, redisKeys(domain), arguments...).Slice()
	if errors.Is(err, redis.ErrClosed) {
		return ErrClosed
	}
	if err != nil {
		return fmt.Errorf("replay: redis: %w", err)
	}
	return r.verdict(seen, answer)
}

// verdict turns the script's answer to a caller that had seen a marker into the error of a [Store].
func (r *Redis) verdict(seen string, answer []any) error {
	if len(answer) != 4 {
		return fmt.Errorf("replay: redis: %d values where the script gives 4", len(answer))
	}
	verdict, _ := answer[0].(string)
	marker, _ := answer[1].(string)
	lost, _ := answer[2].(int64)
	last, _ := answer[3].(int64)
	if verdict == "policy" {
		return &policyError{policy: marker}
	}
	r.see(seen, marker, lost)
	switch verdict {
	case "ok":
		return nil
	case "lost":
		return through(last, ErrLost)
	case "released":
		return through(last, ErrReleased)
	case "revoked":
		return ErrRevoked
	case "replayed":
		return ErrReplayed
	case "full":
		return ErrFull
	}
	return fmt.Errorf("replay: redis: the script answers %q", verdict)
}

// seen returns the marker seen last, and whether the store is open.
func (r *Redis) seen() (marker string, open bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.marker, !r.closed
}

// see remembers the marker of an answer to a command that was sent with before. An answer that was overtaken by one
// with a later marker changes nothing.
func (r *Redis) see(before, marker string, lost int64) {
	r.mu.Lock()
	changed := r.marker == before && before != marker
	if changed {
		r.marker = marker
	}
	r.mu.Unlock()
	until := stepTime(lost + 1)
	switch {
	case !changed || !until.After(r.now()):
	case before == "":
		r.log.Warn("replay: Redis is new, or has lost its records lately; tokens are refused for a while", "until", until)
	default:
		r.log.Warn("replay: Redis may have lost records; tokens that could have been used are refused", "until", until)
	}
}

// Close ends the store. It may be called more than once. A use that is under way may fail.
func (r *Redis) Close() error {
	r.closeOnce.Do(func() {
		r.mu.Lock()
		r.closed = true
		r.mu.Unlock()
		r.stop()
		r.watching.Wait()
		r.closeErr = r.client.Close()
	})
	return r.closeErr
}
