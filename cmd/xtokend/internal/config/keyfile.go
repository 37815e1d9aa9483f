package config

import "github.com/BurntSushi/toml"

// rawKeyFile is what `xtokend keygen` prints, in a file by itself.
type rawKeyFile struct {
	Domain struct {
		Key []rawKey `toml:"key"`
	} `toml:"domain"`
}

// LoadKeys reads the file at path, which holds one [[domain.key]] or more, as
// `xtokend keygen` prints them, and nothing else. Its error is a Faults. The
// warnings are filled in also then. Options.Need is not looked at.
func LoadKeys(path string, o Options) (keys []Key, warnings []Finding, err error) {
	l := newLoader(path, o)
	l.Need = Keys
	text, _, err := readFile(path, maxFileBytes)
	if err != nil {
		l.fault("", "make one with `xtokend keygen > "+path+"`", "cannot read %s: %v", path, err)
		return nil, nil, l.faults
	}
	var raw rawKeyFile
	meta, err := toml.Decode(string(text), &raw)
	if err != nil {
		l.syntax(err)
		return nil, nil, l.faults
	}
	for _, key := range meta.Undecoded() {
		l.fault(key.String(), "the file holds what `xtokend keygen` prints, and nothing else", "unknown key")
	}
	keys = l.keys("domain.key", raw.Domain.Key)
	if len(l.faults) > 0 {
		return nil, l.warnings, l.faults
	}
	return keys, l.warnings, nil
}
