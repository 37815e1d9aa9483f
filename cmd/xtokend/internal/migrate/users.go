package migrate

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"xtokend/cmd/xtokend/internal/migrate/luaconfig"
)

// userStores are those that show that somebody has used the server. Messages that wait
// show nothing: with the Lua module they did so for any name.
var userStores = []string{"roster", "archive", "archive2", "vcard", "private", "pep"}

// ErrNoData says that the settings do not lead to Prosody's data.
var ErrNoData = errors.New("the data of Prosody is not where these settings, or their place, say")

// Users returns the localparts of those who have left a contact list, an archive or
// the like in the files of Prosody's internal storage, sorted, and queries for what
// is in a database. As Prosody does, it takes a relative data_path from the folder
// that it is started in.
func Users(o Options, host string) (users, queries []string, err error) {
	settings, err := luaconfig.Evaluate(o.Path, luaconfig.Options{Environ: o.Environ})
	if err != nil {
		return nil, nil, err
	}
	if settings.Own(host, luaconfig.Defined) == nil {
		return nil, nil, fmt.Errorf("%s is no virtual host of %s", host, o.Path)
	}
	data := dataPath(settings)
	if _, err := os.Stat(data); os.IsNotExist(err) {
		return nil, nil, fmt.Errorf("%w: there is no folder %s", ErrNoData, data)
	}
	found := map[string]bool{}
	for _, store := range userStores {
		if err := collect(found, storeFolder(settings, host, store)); err != nil {
			return nil, nil, err
		}
	}
	for user := range found {
		users = append(users, user)
	}
	slices.Sort(users)
	if usesSQL(settings, host) {
		queries = append(queries, fmt.Sprintf(`SELECT DISTINCT "user" FROM prosody WHERE host = '%s' AND store IN ('roster', 'private', 'vcard') `+
			`UNION SELECT DISTINCT "user" FROM prosodyarchive WHERE host = '%s'`, host, host))
	}
	return users, queries, nil
}

// storeFolder is where the internal storage keeps a store of a host.
func storeFolder(s *luaconfig.Settings, host, store string) string {
	return filepath.Join(dataPath(s), encode(host), store)
}

// dataPath is where Prosody keeps its data, unless it was built with another folder.
func dataPath(s *luaconfig.Settings) string {
	if path, ok := s.Get(luaconfig.Global, "data_path").(string); ok {
		return path
	}
	// One that was built with a prefix, as a buildout does, has both folders below it.
	if prefix, ok := strings.CutSuffix(filepath.Dir(s.Files[0].Path), "/etc/prosody"); ok {
		return prefix + "/var/lib/prosody"
	}
	return "/var/lib/prosody"
}

// collect takes the users of one store: each has a file of a name that ends in .dat,
// or .list for an archive.
func collect(found map[string]bool, folder string) error {
	entries, err := os.ReadDir(folder)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name, isData := strings.CutSuffix(entry.Name(), ".dat")
		if !isData {
			if name, isData = strings.CutSuffix(entry.Name(), ".list"); !isData {
				continue
			}
		}
		if user := decode(name); user != "" {
			found[user] = true
		}
	}
	return nil
}

// encode writes a name as Prosody's files have it: all but ASCII letters and digits
// as percent escapes.
func encode(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' {
			b.WriteByte(c)
			continue
		}
		fmt.Fprintf(&b, "%%%02x", c)
	}
	return b.String()
}

// decode undoes encode; "" if s was not made by it.
func decode(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		var c byte
		if _, err := fmt.Sscanf(s[i:], "%%%02x", &c); err != nil {
			return ""
		}
		b.WriteByte(c)
		i += 2
	}
	return b.String()
}

// usesSQL reports whether a host keeps anything in a database.
func usesSQL(s *luaconfig.Settings, host string) bool {
	for _, option := range []string{"storage", "default_storage"} {
		switch v := s.Get(host, option).(type) {
		case string:
			if v == "sql" {
				return true
			}
		case *luaconfig.Table:
			for _, driver := range v.Fields {
				if driver == "sql" {
					return true
				}
			}
		}
	}
	return false
}
