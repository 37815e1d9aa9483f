package luaconfig

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	lua "github.com/yuin/gopher-lua"
	"mellium.im/xmpp/jid"
)

// fileScope is what the program of one file sees.
type fileScope struct {
	*evaluation
	path    string
	current string // the host that assignments are for
}

// environment returns the table of the file's global variables: to assign one is
// to set an option of the current host.
func (f *fileScope) environment() *lua.LTable {
	L := f.state
	env := L.NewTable()
	define := func(function lua.LGFunction, names ...string) {
		for _, name := range names {
			env.RawSetString(name, L.NewFunction(function))
		}
	}
	define(f.virtualHost, "VirtualHost", "Host", "host")
	define(f.component, "Component", "component")
	define(f.include, "Include", "include")
	define(f.runScript, "RunScript")
	// Prosody 0.13 has these for secrets that are kept elsewhere.
	define(f.fileContents, "FileContents")
	define(f.fileLine, "FileLine")
	define(f.fileLines, "FileLines")
	define(f.credential, "Credential")
	meta := L.NewTable()
	meta.RawSetString("__index", L.NewFunction(f.index))
	meta.RawSetString("__newindex", L.NewFunction(f.newIndex))
	meta.RawSetString("__metatable", lua.LFalse)
	L.SetMetatable(env, meta)
	return env
}

// index finds what is neither an option nor one of Prosody's own functions.
func (f *fileScope) index(L *lua.LState) int {
	name := L.CheckString(2)
	if variable, ok := strings.CutPrefix(name, "ENV_"); ok {
		L.Push(f.variable(variable))
		return 1
	}
	L.Push(L.G.Global.RawGetString(name))
	return 1
}

func (f *fileScope) newIndex(L *lua.LState) int {
	f.set(f.current, L.CheckString(2), L.Get(3), f.caller(L))
	return 0
}

// caller returns the line that calls a function, nil if it is not known.
func (f *fileScope) caller(L *lua.LState) *Place {
	caller, ok := L.GetStack(1)
	if !ok {
		return nil
	}
	if _, err := L.GetInfo("Sl", caller, lua.LNil); err != nil {
		return nil
	}
	return &Place{Path: f.path, Line: caller.CurrentLine}
}

// virtualHost is VirtualHost "name", with options in a table behind it or without.
func (f *fileScope) virtualHost(L *lua.LState) int {
	name := f.prepare(L)
	if h := f.values[name]; h != nil && h["component_module"] != nil {
		L.RaiseError("host %q is a Component already", name)
	}
	f.current = name
	f.set(name, Defined, lua.LTrue, f.caller(L))
	L.Push(L.NewFunction(func(L *lua.LState) int {
		f.current = Global
		options, ok := L.Get(1).(*lua.LTable)
		if !ok {
			L.RaiseError("VirtualHost %q must be followed by options, or by nothing", name)
		}
		f.setAll(name, options)
		return 0
	}))
	return 1
}

// component is Component "name", with a module or options behind it or without.
func (f *fileScope) component(L *lua.LState) int {
	name := f.prepare(L)
	if h := f.values[name]; h != nil && h[Defined] != nil && h["component_module"] == nil {
		L.RaiseError("component %q is a VirtualHost already", name)
	}
	f.set(name, "component_module", lua.LString("component"), nil)
	f.set(name, "load_global_modules", lua.LFalse, nil)
	f.current = name
	options := func(L *lua.LState) int {
		f.current = Global
		f.setAll(name, L.CheckTable(1))
		return 0
	}
	L.Push(L.NewFunction(func(L *lua.LState) int {
		module, ok := L.Get(1).(lua.LString)
		if !ok {
			return options(L)
		}
		f.set(name, "component_module", module, nil)
		L.Push(L.NewFunction(options))
		return 1
	}))
	return 1
}

func (f *fileScope) setAll(host string, options *lua.LTable) {
	options.ForEach(func(key, v lua.LValue) { f.set(host, key.String(), v, nil) })
}

// prepare returns the name that a host is known by (nameprep, RFC 3491).
func (f *fileScope) prepare(L *lua.LState) string {
	name := L.CheckString(1)
	ascii := func(r rune) bool { return r >= 0x80 }
	if strings.IndexFunc(name, ascii) < 0 {
		return strings.ToLower(name)
	}
	prepared, err := jid.New("", name, "")
	if err != nil {
		L.RaiseError("%q is not the name of a host", name)
	}
	return prepared.Domainpart()
}

// resolve returns where a path leads that a file names.
func (f *fileScope) resolve(path string) string {
	if strings.HasPrefix(path, "/") {
		return path
	}
	return filepath.Join(filepath.Dir(f.path), path)
}

// include reads another file of settings, or all that match a pattern.
func (f *fileScope) include(L *lua.LState) int {
	path := f.resolve(L.CheckString(1))
	if !strings.ContainsAny(L.CheckString(1), "*?") {
		f.mustLoad(L, path)
		return 0
	}
	folder, pattern := filepath.Dir(path), glob(filepath.Base(path))
	entries, err := os.ReadDir(folder)
	if err != nil {
		L.RaiseError("cannot read the folder %s: %v", folder, withoutPath(err))
	}
	for _, entry := range entries {
		if name := entry.Name(); !strings.HasPrefix(name, ".") && pattern.MatchString(name) {
			f.mustLoad(L, filepath.Join(folder, name))
		}
	}
	return 0
}

func (f *fileScope) mustLoad(L *lua.LState, path string) {
	if err := f.load(path); err != nil {
		L.Error(lua.LString(err.Error()), 0)
	}
}

// glob makes an expression of a pattern in which * and ? alone mean something.
func glob(pattern string) *regexp.Regexp {
	expression := regexp.QuoteMeta(pattern)
	expression = strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(expression)
	return regexp.MustCompile(`(?s)^` + expression + `$`)
}

// runScript runs a file whose assignments are no options.
func (f *fileScope) runScript(L *lua.LState) int {
	path := f.resolve(L.CheckString(1))
	chunk, err := L.Load(strings.NewReader(f.mustRead(L, path)), path)
	if err != nil {
		L.RaiseError("%s", f.explain(err))
	}
	L.Push(chunk)
	L.Call(0, lua.MultRet)
	return L.GetTop() - 1
}

func (f *fileScope) mustRead(L *lua.LState, path string) string {
	text, err := f.read(path)
	if err != nil {
		L.RaiseError("cannot read %s: %v", path, withoutPath(err))
	}
	return text
}

func (f *fileScope) fileContents(L *lua.LState) int {
	L.Push(lua.LString(f.mustRead(L, f.resolve(L.CheckString(1)))))
	return 1
}

func (f *fileScope) fileLine(L *lua.LState) int {
	line, _, _ := strings.Cut(f.mustRead(L, f.resolve(L.CheckString(1))), "\n")
	L.Push(lua.LString(line))
	return 1
}

func (f *fileScope) fileLines(L *lua.LState) int {
	lines := L.NewTable()
	text := strings.TrimSuffix(f.mustRead(L, f.resolve(L.CheckString(1))), "\n")
	for line := range strings.SplitSeq(text, "\n") {
		lines.Append(lua.LString(line))
	}
	L.Push(lines)
	return 1
}

// credential reads a secret that a service manager has put into a folder of its own.
func (f *fileScope) credential(L *lua.LState) int {
	name := L.CheckString(1)
	folder, ok := f.variable("CREDENTIALS_DIRECTORY").(lua.LString)
	if !ok || strings.Contains(name, "/") {
		L.RaiseError("%s", fmt.Sprintf("Credential(%q): set CREDENTIALS_DIRECTORY to the folder that holds a copy of Prosody's credentials", name))
	}
	L.Push(lua.LString(f.mustRead(L, filepath.Join(string(folder), name))))
	return 1
}
