package config

import (
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// maxDatabase is more than anybody configures; the server says if it has fewer.
const maxDatabase = 1<<16 - 1

// replay reads [replay]. The file store is the default: a restart must not let a
// token in twice.
func (l *loader) replay(raw rawReplay) Replay {
	r := Replay{Store: oneOf(l, "replay.store", raw.Store, ReplayFile, ReplayMemory, ReplayFile, ReplayRedis)}
	path := get(l, "replay.path", raw.Path, "")
	if r.Store != ReplayFile && path != "" {
		l.fault("replay.path", `leave it out, or set store = "file"`, "has no effect with store = %q", r.Store)
	}
	if r.Store != ReplayRedis {
		l.withoutRedis(raw, r.Store)
	}
	switch r.Store {
	case ReplayMemory:
		l.warn("replay.store", `set store = "file"`, "the memory store forgets at a restart which tokens were used")
	case ReplayFile:
		if path == "" {
			path = "/var/lib/xtokend/replay.db"
		}
		r.Path = l.path(path)
	case ReplayRedis:
		r.Redis = l.redis(raw)
	}
	return r
}

func (l *loader) withoutRedis(raw rawReplay, store ReplayStore) {
	for _, setting := range []struct {
		key   string
		value value[string]
	}{
		{"replay.url", raw.URL}, {"replay.password_file", raw.PasswordFile}, {"replay.ca_file", raw.CAFile},
		{"replay.sentinel", raw.Sentinel},
	} {
		if get(l, setting.key, setting.value, "") != "" {
			l.fault(setting.key, `leave it out, or set store = "redis"`, "has no effect with store = %q", store)
		}
	}
}

// redis reads the settings of the Redis store.
func (l *loader) redis(raw rawReplay) Redis {
	r := Redis{
		Sentinel: get(l, "replay.sentinel", raw.Sentinel, ""),
		CAFile:   get(l, "replay.ca_file", raw.CAFile, ""),
	}
	password, ok := r.parseURL(get(l, "replay.url", raw.URL, "redis://127.0.0.1:6379/0"))
	if !ok { // its text may have the password
		l.fault("replay.url", `write "redis://127.0.0.1:6379/0", or "rediss://NAME@redis1.example.org:6379,redis2.example.org:6379", say`,
			"is not the address of a Redis: redis:// or rediss://, a user's name and @ if it needs one, HOST:PORT with commas between several, / and the database's number")
	}
	r.Password = l.redisPassword(password, raw.PasswordFile)
	if len(r.Addresses) > 1 && r.Sentinel == "" && r.Database != 0 {
		l.fault("replay.url", "end it with /0, or name one server alone, or the sentinels with sentinel", "several addresses are those of a cluster, which has no database %d", r.Database)
	}
	if r.CAFile != "" {
		r.CAFile = l.path(r.CAFile)
		if r.TLS {
			r.RootCAs = l.authorityFile("replay.ca_file", r.CAFile)
		} else if ok {
			l.fault("replay.ca_file", "leave it out, or write rediss:// in url", "has no effect with redis://, which is not encrypted")
		}
	}
	if far := slices.IndexFunc(r.Addresses, isFar); ok && far >= 0 && !r.TLS { // else it may be part of the password
		l.warn("replay.url", "write rediss://, unless the network between is yours alone",
			"the connection to %s is not encrypted: who can change what passes lets tokens in twice", r.Addresses[far])
	}
	return r
}

// redisPassword finds the password where a secret may be, in the URL in place of a
// setting of its own. There need not be one.
func (l *loader) redisPassword(inURL string, file value[string]) Secret {
	const key = "replay.password"
	l.secretNames[variable(key)] = true
	if inURL == "" && !file.given && l.environment(variable(key)) == "" {
		return Secret{}
	}
	s, _ := l.secret(l.need(AccountSecrets), key, value[Secret]{given: inURL != "", got: Secret{inURL}}, file)
	return s
}

// parseURL takes in all of a URL but its password, which it returns. It is our own
// because a URL (RFC 3986) has no place for several hosts.
func (r *Redis) parseURL(text string) (password string, ok bool) {
	scheme, rest, _ := strings.Cut(text, "://")
	authority, database, _ := strings.Cut(rest, "/")
	hosts := authority
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		hosts = authority[i+1:]
		name, secret, _ := strings.Cut(authority[:i], ":")
		var errName, errSecret error
		r.Username, errName = url.PathUnescape(name)
		password, errSecret = url.PathUnescape(secret)
		if errName != nil || errSecret != nil {
			return "", false
		}
	}
	port := "6379"
	if r.Sentinel != "" {
		port = "26379"
	}
	r.TLS = scheme == "rediss"
	for host := range strings.SplitSeq(hosts, ",") {
		address, ok := hostPort(host, port)
		if !ok {
			return password, false
		}
		r.Addresses = append(r.Addresses, address)
	}
	if database != "" {
		n, err := strconv.ParseUint(database, 10, 32)
		if err != nil || n > maxDatabase {
			return password, false
		}
		r.Database = int(n)
	}
	return password, r.TLS || scheme == "redis"
}

// hostPort adds the port if there is none.
func hostPort(text, port string) (address string, ok bool) {
	host := text
	if h, p, err := net.SplitHostPort(text); err == nil {
		host, port = h, p
	} else if inner, bracketed := strings.CutPrefix(text, "["); bracketed {
		host, ok = strings.CutSuffix(inner, "]")
		if !ok {
			return "", false
		}
	} else if strings.Contains(text, ":") {
		return "", false
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", false
	}
	if host == "" || strings.ContainsAny(host, "/?#[]@ \t") {
		return "", false
	}
	return net.JoinHostPort(host, port), true
}

// isFar reports whether an address is of another machine.
func isFar(address string) bool {
	host, _, _ := net.SplitHostPort(address)
	ip, err := netip.ParseAddr(host)
	return host != "localhost" && (err != nil || !ip.IsLoopback())
}
