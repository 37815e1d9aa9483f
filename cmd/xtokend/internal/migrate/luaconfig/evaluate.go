package luaconfig

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"
)

// Bounds of an evaluation. Settings are a list of assignments: whatever reaches
// one of these is a mistake.
const (
	maxFileBytes    = 1 << 20
	maxFiles        = 500
	maxInstructions = 1_000_000
	maxHeapBytes    = 64 << 20 // more than there was before
	maxDepth        = 32       // of tables in tables
	maxNesting      = 20       // of Include
	maxTime         = 20 * time.Second
)

// Options say on what an evaluation is done.
type Options struct {
	// Environ is what ENV_NAME and os.getenv see, "NAME=value" each; nil: the
	// process's environment.
	Environ []string
	// Timeout bounds the time of all; 0: 20 s.
	Timeout time.Duration
	// Replaced are the texts of files, by path, that stand for what is on disk.
	Replaced map[string]string
}

// Evaluate runs the settings in the file at path as Prosody 0.12 does, in a
// sandbox: they may read files and the environment, and nothing else. An error
// names file and line where it can.
func Evaluate(path string, o Options) (*Settings, error) {
	if o.Environ == nil {
		o.Environ = os.Environ()
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	type result struct {
		settings *Settings
		err      error
	}
	done := make(chan result, 1)
	// One call of a library, a pattern that is tried in too many ways, is one
	// instruction and cannot be interrupted: it is left alone when time is up.
	go func() {
		s, err := run(path, o)
		done <- result{s, err}
	}()
	select {
	case r := <-done:
		return r.settings, r.err
	case <-time.After(cmp.Or(o.Timeout, maxTime)):
		return nil, fmt.Errorf("%s: %w", path, errEndless)
	}
}

var errEndless = errors.New("the settings do not come to an end")

// run evaluates in the calling goroutine.
func run(path string, o Options) (*Settings, error) {
	e := &evaluation{
		Options:  o,
		settings: &Settings{Hosts: map[string]*Host{}},
		values:   map[string]map[string]lua.LValue{},
		state: lua.NewState(lua.Options{
			SkipOpenLibs: true, CallStackSize: 200, RegistrySize: 4096, RegistryMaxSize: 1 << 20,
		}),
	}
	defer e.state.Close()
	e.host(Global)
	e.openLibraries()
	e.state.SetContext(newMeter())
	if err := e.load(path); err != nil {
		return nil, err
	}
	return e.settings, e.convertAll()
}

// evaluation is one run of Evaluate.
type evaluation struct {
	Options
	state    *lua.LState
	settings *Settings
	values   map[string]map[string]lua.LValue // by host and option, until the end
	nesting  int
}

// host returns a host, which it adds if it is new.
func (e *evaluation) host(name string) *Host {
	h := e.settings.Hosts[name]
	if h == nil {
		h = &Host{Options: map[string]Value{}, Places: map[string]Place{}}
		e.settings.Hosts[name] = h
		e.settings.Order = append(e.settings.Order, name)
		e.values[name] = map[string]lua.LValue{}
	}
	return h
}

// set sets an option. As in any table of Lua, nil takes it away.
func (e *evaluation) set(host, option string, v lua.LValue, place *Place) {
	h := e.host(host)
	delete(h.Places, option)
	if v == lua.LNil {
		delete(e.values[host], option)
		return
	}
	e.values[host][option] = v
	if place != nil {
		h.Places[option] = *place
	}
}

// load runs one file. Each has a current host of its own, which is none at first.
func (e *evaluation) load(path string) error {
	if e.nesting >= maxNesting || len(e.settings.Files) >= maxFiles {
		return fmt.Errorf("%s: too many files are included", path)
	}
	text, err := e.read(path)
	if err != nil {
		return fmt.Errorf("cannot read %s: %w", path, withoutPath(err))
	}
	if file := (File{Path: path, Text: text}); !slices.Contains(e.settings.Files, file) { // it may be included twice
		e.settings.Files = append(e.settings.Files, file)
	}
	chunk, err := e.state.Load(strings.NewReader(text), path)
	if err != nil {
		return e.explain(err)
	}
	f := &fileScope{evaluation: e, path: path, current: Global}
	chunk.Env = f.environment()
	e.nesting++
	defer func() { e.nesting-- }()
	e.state.Push(chunk)
	if err := e.state.PCall(0, 0, nil); err != nil {
		return e.explain(err)
	}
	return nil
}

// explain takes the traceback and the parser's line end off an error of Lua.
func (e *evaluation) explain(err error) error {
	var api *lua.ApiError
	if errors.As(err, &api) {
		if api.Cause != nil && api.Type != lua.ApiErrorRun {
			return errors.New(strings.TrimSpace(api.Cause.Error()))
		}
		return errors.New(strings.TrimSpace(api.Object.String()))
	}
	return err
}

// read returns what a file holds, within bounds.
func (e *evaluation) read(path string) (string, error) {
	if text, ok := e.Replaced[path]; ok {
		return text, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", errors.New("it is no regular file")
	}
	if info.Size() > maxFileBytes {
		return "", errors.New("the file is too long")
	}
	text, err := os.ReadFile(path)
	return string(text), err
}

// withoutPath returns the cause of an error alone; its reader knows the path.
func withoutPath(err error) error {
	var pathError *os.PathError
	if errors.As(err, &pathError) {
		return pathError.Err
	}
	return err
}

// convertAll makes the model of what the options hold in the end: settings may
// change a table after they have assigned it.
func (e *evaluation) convertAll() error {
	for host, options := range e.values {
		for option, v := range options {
			converted, err := convert(v, 0)
			if err != nil {
				return fmt.Errorf("option %s of %s: %w", option, host, err)
			}
			e.settings.Hosts[host].Options[option] = converted
		}
	}
	return nil
}

func convert(v lua.LValue, depth int) (Value, error) {
	switch v := v.(type) {
	case lua.LString:
		return string(v), nil
	case lua.LNumber:
		return float64(v), nil
	case lua.LBool:
		return bool(v), nil
	case *lua.LTable:
		return convertTable(v, depth)
	}
	return Opaque(v.Type().String()), nil
}

func convertTable(t *lua.LTable, depth int) (Value, error) {
	if depth >= maxDepth {
		return nil, errors.New("tables are nested too deep")
	}
	converted := &Table{Fields: map[string]Value{}}
	n := 0 // as ipairs counts: up to the first that is missing
	for ; t.RawGetInt(n+1) != lua.LNil; n++ {
		item, err := convert(t.RawGetInt(n+1), depth+1)
		if err != nil {
			return nil, err
		}
		converted.List = append(converted.List, item)
	}
	var failed error
	t.ForEach(func(key, v lua.LValue) {
		if k, ok := key.(lua.LNumber); ok && k >= 1 && float64(k) <= float64(n) && k == lua.LNumber(int(k)) {
			return
		}
		item, err := convert(v, depth+1)
		if err != nil {
			failed = err
		}
		converted.Fields[key.String()] = item
	})
	return converted, failed
}
