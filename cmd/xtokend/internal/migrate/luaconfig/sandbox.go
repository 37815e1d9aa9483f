package luaconfig

import (
	"context"
	"errors"
	"runtime/metrics"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"
)

// openLibraries gives settings what they use of Lua's libraries: what computes,
// what reads files, the environment and the time.
func (e *evaluation) openLibraries() {
	L := e.state
	for _, library := range []struct {
		name string
		open lua.LGFunction
	}{{lua.BaseLibName, lua.OpenBase}, {lua.TabLibName, lua.OpenTable}, {lua.StringLibName, lua.OpenString}, {lua.MathLibName, lua.OpenMath}} {
		L.Push(L.NewFunction(library.open))
		L.Push(lua.LString(library.name))
		L.Call(1, 0)
	}
	globals := L.G.Global
	for _, name := range []string{"module", "newproxy", "getfenv", "setfenv", "collectgarbage", "_printregs", "_GOPHER_LUA_VERSION"} {
		globals.RawSetString(name, lua.LNil)
	}
	for _, name := range []string{"dofile", "load", "loadfile", "loadstring", "require"} {
		globals.RawSetString(name, e.unavailable(name))
	}
	globals.RawSetString("print", L.NewFunction(func(*lua.LState) int { return 0 }))

	text := globals.RawGetString(lua.StringLibName).(*lua.LTable)
	text.RawSetString("dump", lua.LNil)
	table := globals.RawGetString(lua.TabLibName).(*lua.LTable)
	table.RawSetString("unpack", globals.RawGetString("unpack"))
	e.boundStrings()

	globals.RawSetString("os", e.library(map[string]lua.LGFunction{
		"getenv": func(L *lua.LState) int { L.Push(e.variable(L.CheckString(1))); return 1 },
		"time":   func(L *lua.LState) int { L.Push(lua.LNumber(time.Now().Unix())); return 1 },
	}, "execute", "remove", "rename", "exit", "tmpname"))
	globals.RawSetString("io", e.library(map[string]lua.LGFunction{
		"open":  e.openFile,
		"lines": e.lines,
	}, "popen", "output", "write", "input", "tmpfile"))
}

func (e *evaluation) library(functions map[string]lua.LGFunction, without ...string) *lua.LTable {
	t := e.state.NewTable()
	for name, function := range functions {
		t.RawSetString(name, e.state.NewFunction(function))
	}
	for _, name := range without {
		t.RawSetString(name, e.unavailable(name))
	}
	return t
}

// unavailable makes a function that says why it does nothing.
func (e *evaluation) unavailable(name string) *lua.LFunction {
	return e.state.NewFunction(func(L *lua.LState) int {
		L.RaiseError("%s is not run: settings are only read here, write the value itself for the time of the migration", name)
		return 0
	})
}

// variable returns a variable of the environment, nil if it is not set.
func (e *evaluation) variable(name string) lua.LValue {
	for _, entry := range e.Environ {
		if text, ok := strings.CutPrefix(entry, name+"="); ok {
			return lua.LString(text)
		}
	}
	return lua.LNil
}

// openFile is io.open, for reading alone. As Lua's it returns nil and a message
// if there is no such file.
func (e *evaluation) openFile(L *lua.LState) int {
	path, mode := L.CheckString(1), L.OptString(2, "r")
	if !strings.HasPrefix(mode, "r") || strings.Contains(mode, "+") {
		L.RaiseError("io.open: files are only read here")
	}
	text, err := e.read(path)
	if err != nil {
		L.Push(lua.LNil)
		L.Push(lua.LString(path + ": " + withoutPath(err).Error()))
		return 2
	}
	file := L.NewTable()
	file.RawSetString("read", L.NewFunction(func(L *lua.LState) int {
		switch format := strings.TrimPrefix(L.OptString(2, "l"), "*"); {
		case strings.HasPrefix(format, "a"):
			L.Push(lua.LString(text))
			text = ""
		case strings.HasPrefix(format, "l"):
			L.Push(nextLine(&text))
		default:
			L.RaiseError("read: the format %q is not known here", format)
		}
		return 1
	}))
	file.RawSetString("lines", L.NewFunction(func(L *lua.LState) int { return pushLines(L, text) }))
	file.RawSetString("close", L.NewFunction(func(L *lua.LState) int { L.Push(lua.LTrue); return 1 }))
	L.Push(file)
	return 1
}

// lines is io.lines of a file.
func (e *evaluation) lines(L *lua.LState) int {
	path := L.CheckString(1)
	text, err := e.read(path)
	if err != nil {
		L.RaiseError("%s: %v", path, withoutPath(err))
	}
	return pushLines(L, text)
}

func pushLines(L *lua.LState, text string) int {
	L.Push(L.NewFunction(func(L *lua.LState) int {
		L.Push(nextLine(&text))
		return 1
	}))
	return 1
}

// nextLine takes a line off text; nil if there is none.
func nextLine(text *string) lua.LValue {
	if *text == "" {
		return lua.LNil
	}
	line, rest, _ := strings.Cut(*text, "\n")
	*text = rest
	return lua.LString(line)
}

var errMemory = errors.New("the settings use too much memory")

// meter is a context that ends after so many instructions, or when the heap has
// grown too much. The interpreter asks it before each instruction, so that the
// same settings always come to the same end, on whatever machine.
type meter struct {
	context.Context
	instructions int
	heapLimit    uint64
	ended        chan struct{}
	err          error
}

func newMeter() *meter {
	return &meter{Context: context.Background(), heapLimit: heapBytes() + maxHeapBytes, ended: make(chan struct{})}
}

func (m *meter) Done() <-chan struct{} {
	if m.err != nil {
		return m.ended
	}
	m.instructions++
	switch {
	case m.instructions > maxInstructions:
		m.end(errEndless)
	// One instruction can double a string: to look seldom is to look too late.
	case m.instructions%4 == 0 && heapBytes() > m.heapLimit:
		m.end(errMemory)
	default:
		return nil
	}
	return m.ended
}

func (m *meter) end(err error) {
	m.err = err
	close(m.ended)
}

func (m *meter) Err() error { return m.err }

func heapBytes() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
