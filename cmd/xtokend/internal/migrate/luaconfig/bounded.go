package luaconfig

import (
	"regexp"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// maxStringBytes bounds what one call of a function may make of a string: the meter
// looks between two instructions, and a call is one.
const maxStringBytes = 1 << 20

// boundStrings has functions of the libraries that make a long string of short ones
// refuse to.
func (e *evaluation) boundStrings() {
	for _, f := range []struct {
		library, name string
		bytes         func(L *lua.LState) int // of the result, or more
	}{
		{lua.StringLibName, "rep", repeatBytes},
		{lua.StringLibName, "format", formatBytes},
		{lua.StringLibName, "gsub", replaceBytes},
		{lua.TabLibName, "concat", concatBytes},
	} {
		library := e.state.G.Global.RawGetString(f.library).(*lua.LTable)
		original := library.RawGetString(f.name).(*lua.LFunction).GFunction
		library.RawSetString(f.name, e.state.NewFunction(func(L *lua.LState) int {
			if f.bytes(L) > maxStringBytes {
				L.RaiseError("%s.%s: the result is too long", f.library, f.name)
			}
			return original(L)
		}))
	}
}

// tooMany stands for a number that need not be known.
const tooMany = maxStringBytes + 1

// times multiplies without an overflow.
func times(a, b int) int {
	if a <= 0 || b <= 0 {
		return 0
	}
	if a > maxStringBytes/b {
		return tooMany
	}
	return a * b
}

func repeatBytes(L *lua.LState) int { return times(len(L.CheckString(1)), L.CheckInt(2)) }

// wideField is what Lua itself refuses: a width or precision of more than two digits.
var wideField = regexp.MustCompile(`%[-+ #0]*(\d{3}|\d*\.\d{3})`)

func formatBytes(L *lua.LState) int {
	if wideField.MatchString(L.CheckString(1)) {
		return tooMany
	}
	bytes := len(L.CheckString(1))
	for i := 2; i <= L.GetTop(); i++ {
		bytes += len(lua.LVAsString(L.Get(i))) + 2*99
	}
	return bytes
}

// replaceBytes counts a replacement that is a text. It stands once for each byte of the
// source at most, and what its %1 stand for in all matches is no longer than the source.
func replaceBytes(L *lua.LState) int {
	source := len(L.CheckString(1))
	replacement, ok := L.Get(3).(lua.LString)
	if !ok {
		return 0 // it makes no text of its own
	}
	return source + times(source, strings.Count(string(replacement), "%")) + times(source+1, len(replacement))
}

func concatBytes(L *lua.LState) int {
	t := L.CheckTable(1)
	n := t.Len()
	bytes := times(n, len(L.OptString(2, "")))
	for i := 1; i <= n && bytes <= maxStringBytes; i++ {
		bytes += len(lua.LVAsString(t.RawGetInt(i)))
	}
	return bytes
}
