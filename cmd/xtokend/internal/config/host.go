package config

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
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

// hostFiles reports what cannot be the file of a host: what is no file, and one that
// it would share with another host or with the replay store, since each locks its own.
func (l *loader) hostFiles(cfg *Config) {
	var taken []keptFile
	if cfg.Replay.Store == ReplayFile {
		taken = append(taken, newKeptFile("replay.path", cfg.Replay.Path))
	}
	for i, d := range cfg.Domains {
		if d.Host.Path == "" {
			continue
		}
		f := newKeptFile(fmt.Sprintf("domain[%d].host.path", i), d.Host.Path)
		if f.info != nil && !f.info.Mode().IsRegular() {
			l.fault(f.key, "write the path of a file, /var/lib/xtokend/host.db, say", "%s is no regular file", d.Host.Path)
			continue
		}
		if first := slices.IndexFunc(taken, f.same); first >= 0 {
			l.fault(f.key, "give it a file of its own", "%s is the value of %s already", d.Host.Path, taken[first].key)
		}
		taken = append(taken, f)
	}
}

// keptFile is a file that a part of the program has for itself.
type keptFile struct {
	key, path string
	info      fs.FileInfo // nil: there is none yet, or it is out of sight
}

func newKeptFile(key, path string) keptFile {
	f := keptFile{key: key, path: filepath.Clean(path)}
	if info, err := os.Stat(path); err == nil {
		f.info = info
	}
	return f
}

func (f keptFile) same(other keptFile) bool {
	return f.path == other.path || f.info != nil && other.info != nil && os.SameFile(f.info, other.info)
}
