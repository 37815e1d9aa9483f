package replay

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// The library logs to standard error; what it has to say comes as errors too.
var silenceRedis = sync.OnceFunc(logging.Disable)

// newRedisClient makes a client for one server, a cluster or what sentinels name. It does not connect.
func newRedisClient(o *RedisOptions) (redis.UniversalClient, error) {
	if len(o.Addresses) == 0 {
		return nil, errors.New("replay: redis: no address")
	}
	cluster := o.Master == "" && len(o.Addresses) > 1
	if cluster && o.DB != 0 {
		return nil, errors.New("replay: redis: a cluster has no database but 0")
	}
	if o.Timeout <= 0 {
		o.Timeout = defaultRedisTimeout
	}
	silenceRedis()
	return redis.NewUniversalClient(&redis.UniversalOptions{
		Addrs:         o.Addresses,
		MasterName:    o.Master,
		IsClusterMode: cluster,
		Username:      o.Username,
		Password:      o.Password,
		DB:            o.DB,
		TLSConfig:     o.TLS,

		// A use that is sent a second time, its answer being lost, would be refused as a replay.
		MaxRetries:            -1,
		DialerRetries:         1,
		DialTimeout:           o.Timeout,
		ReadTimeout:           o.Timeout,
		WriteTimeout:          o.Timeout,
		PoolTimeout:           o.Timeout,
		ContextTimeoutEnabled: true,

		Protocol:                 2, // the one that every server and stand-in knows
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}), nil
}

// scripter sends a script once. The client of a cluster would send it again, whatever MaxRetries says, when the
// connection is lost in the middle of it.
type scripter struct{ redis.UniversalClient }

// Eval implements [redis.Scripter].
func (s scripter) Eval(ctx context.Context, script string, keys []string, args ...any) *redis.Cmd {
	return s.once(ctx, "eval", script, keys, args)
}

// EvalSha implements [redis.Scripter].
func (s scripter) EvalSha(ctx context.Context, sha1 string, keys []string, args ...any) *redis.Cmd {
	return s.once(ctx, "evalsha", sha1, keys, args)
}

func (s scripter) once(ctx context.Context, name, script string, keys []string, args []any) *redis.Cmd {
	words := []any{name, script, len(keys)}
	for _, key := range keys {
		words = append(words, key)
	}
	cmd := redis.NewCmd(ctx, append(words, args...)...)
	cmd.SetFirstKeyPos(3) // after its name, the script and the number of keys
	s.Process(ctx, onceCmd{cmd})
	return cmd
}

// onceCmd is a command that is sent once. It may be redirected by a server that has not run it.
type onceCmd struct{ *redis.Cmd }

// NoRetry implements [redis.Cmder].
func (onceCmd) NoRetry() bool { return true }

// policyError refuses a server that evicts records when its memory is full.
type policyError struct{ policy string }

// Error implements error.
func (e *policyError) Error() string {
	return fmt.Sprintf("replay: redis: maxmemory-policy is %q, which forgets used tokens; set it to noeviction", e.policy)
}

// isLasting reports whether an error of the first command will not go away by itself.
func isLasting(err error) bool {
	var policy *policyError
	var certificate *tls.CertificateVerificationError
	if errors.As(err, &policy) || errors.As(err, &certificate) {
		return true
	}
	// What a script runs into is of the moment: a read-only replica, say.
	var answer redis.Error
	if !errors.As(err, &answer) || strings.HasPrefix(answer.Error(), "ERR Error running script") {
		return false
	}
	code, _, _ := strings.Cut(answer.Error(), " ")
	return slices.Contains([]string{"ERR", "MOVED", "NOAUTH", "NOPERM", "WRONGPASS", "WRONGTYPE"}, code)
}
