package config

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	maxFileBytes   = 1 << 20 // of the settings, and of certificates: a system's whole bundle has some 220 kB
	maxSecretBytes = 64 << 10
)

// Load reads and checks the settings in the file at path. Its error is always
// a Faults with all that is wrong; the Config is then good for its Warnings
// only. Relative paths in the file are taken from the folder it lies in.
func Load(path string, o Options) (Config, error) {
	l := newLoader(path, o)
	cfg := Config{Path: path}
	text, info, err := readFile(path, maxFileBytes)
	if err != nil {
		l.fault("", "name the settings file with --config; contrib/xtokend.toml is an annotated example", "cannot read %s: %v", path, err)
		return cfg, l.faults
	}
	if raw, ok := l.decode(string(text)); ok {
		l.build(&cfg, raw)
		l.strayVariables()
		l.inlineSecrets(info.Mode())
	}
	cfg.Warnings = l.warnings
	if len(l.faults) > 0 {
		return cfg, l.faults
	}
	return cfg, nil
}

// loader is one run of Load or LoadKeys.
type loader struct {
	Options
	report
	dir         string          // of the settings file
	secretNames map[string]bool // environment variables that could give a secret
	inline      []string        // keys of secrets that stand in the file itself
}

func newLoader(path string, o Options) *loader {
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	if o.Environ == nil {
		o.Environ = os.Environ()
	}
	return &loader{Options: o, dir: filepath.Dir(path), secretNames: map[string]bool{}}
}

// build turns the raw file into cfg. It goes on after a fault, so that all are
// found.
func (l *loader) build(cfg *Config, raw *rawFile) {
	cfg.TrustedProxies = l.trustedProxies(raw.TrustedProxies)
	cfg.AllowedOrigins = l.allowedOrigins(raw.AllowedOrigins)
	cfg.Node = l.node(raw.Node)
	cfg.Listeners = l.listeners(raw, cfg.TrustedProxies)
	cfg.Admin = l.admin(raw.Admin)
	cfg.Metrics = l.metrics(raw.Metrics, cfg.Listeners)
	cfg.HTTPAuth = l.httpAuth(raw, cfg)
	cfg.TLS = l.certificate(raw.TLS)
	cfg.Domains = l.domains(raw.Domain)
	cfg.Replay = l.replay(raw.Replay)
	l.hostFiles(cfg)
	cfg.Limits = l.limits(raw.Limits)
	cfg.Log = l.log(raw.Log)
	l.webWithoutUse(cfg)
	l.nobodyAsks(cfg)
	if cfg.TLS != nil && l.Need&Certificate != 0 {
		l.certificateNames(cfg.TLS, cfg)
	}
}

func (l *loader) need(p Part) bool { return l.Need&p != 0 }

// path returns where a path of the settings leads.
func (l *loader) path(p string) string {
	if filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(l.dir, p)
}

// readFile reads a file of at most limit bytes. Its errors do not repeat the path.
func readFile(path string, limit int64) ([]byte, fs.FileInfo, error) {
	// Without O_NONBLOCK a pipe without a writer would hold up its opening.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, withoutPath(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, withoutPath(err)
	}
	if info.Mode().Type()&^fs.ModeDir != 0 {
		return nil, nil, errNotRegular
	}
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, nil, withoutPath(err)
	}
	if int64(len(text)) > limit {
		return nil, nil, errTooLong
	}
	return text, info, nil
}

var (
	errTooLong    = errors.New("the file is too long")
	errNotRegular = errors.New("it is no regular file")
)

// withoutPath returns the cause of an error alone; its reader knows the path.
func withoutPath(err error) error {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err
	}
	return err
}

// environment returns the value of a variable; "" if it is not set.
func (l *loader) environment(name string) string {
	for _, entry := range l.Environ {
		if text, ok := strings.CutPrefix(entry, name+"="); ok {
			return text
		}
	}
	return ""
}
