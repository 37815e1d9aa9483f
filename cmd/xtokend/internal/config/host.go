package config

import (
	"fmt"
	"path/filepath"
)

// host reads [domain.host], whose settings may all be absent.
func (l *loader) host(key string, raw *rawHost) Host {
	if raw == nil {
		raw = &rawHost{}
	}
	h := Host{Path: get(l, key+".path", raw.Path, "")}
	if h.Path == "" {
		l.warn(key+".path", `write path = "/var/lib/xtokend/host.db", say`, "is not set: rosters, waiting messages and all else are in memory, and lost at a restart")
	} else {
		h.Path = l.path(h.Path)
	}
	if raw.Rooms.got != "" || raw.Rooms.want != "" {
		h.Rooms = l.domainpart(key+".rooms", raw.Rooms, `write a name of its own, "rooms.example.org", say`)
	}
	return h
}

// hostFiles reports a file that a host would share with another or with the replay
// store: each locks its own.
func (l *loader) hostFiles(cfg *Config) {
	taken := map[string]string{}
	if cfg.Replay.Store == ReplayFile {
		taken[filepath.Clean(cfg.Replay.Path)] = "replay.path"
	}
	for i, d := range cfg.Domains {
		if d.Host.Path == "" {
			continue
		}
		key, path := fmt.Sprintf("domain[%d].host.path", i), filepath.Clean(d.Host.Path)
		if first, ok := taken[path]; ok {
			l.fault(key, "give it a file of its own", "%s is the value of %s already", d.Host.Path, first)
		}
		taken[path] = key
	}
}
