package luaedit_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"xtokend/cmd/xtokend/internal/migrate/luaedit"
)

var out = []string{"auth_token", "sasl_token"}

// Each change leaves the rest of the text as it is.
func TestChanges(t *testing.T) {
	at := func(line int) luaedit.Place { return luaedit.Place{Line: line} }
	inside := func(line int) luaedit.Place { return luaedit.Place{Line: line, Inside: true} }
	for _, test := range []struct {
		name, before string
		change       func(*luaedit.File) error
		after        string
	}{
		{
			"a string", "a = 1 -- one\nauthentication = 'token'; -- how\nb = 2",
			func(f *luaedit.File) error { return f.Set("authentication", at(2), nil, `"x"`) },
			"a = 1 -- one\nauthentication = \"x\"; -- how\nb = 2",
		},
		{
			"a long string", "a = [==[\n]] ]==] b = 2",
			func(f *luaedit.File) error { return f.Set("a", at(1), nil, "1") },
			"a = 1 b = 2",
		},
		{
			"the same name elsewhere", "local a = 1 t = { a = 2 } --a = 3\nif x then a = 4 end s = 'a = 5' a = 6",
			func(f *luaedit.File) error { return f.Set("a", at(2), nil, "0") },
			"local a = 1 t = { a = 2 } --a = 3\nif x then a = 4 end s = 'a = 5' a = 0",
		},
		{
			"behind blocks", "for i = 1, 2 do while x do end end repeat f(function() end) until y\na = 1",
			func(f *luaedit.File) error { return f.Set("a", at(2), nil, "0") },
			"for i = 1, 2 do while x do end end repeat f(function() end) until y\na = 0",
		},
		{
			"among the options of a host", "VirtualHost 'x' {\n\ta = 1, -- one\n\tb = { 2 };\n}",
			func(f *luaedit.File) error { return f.Set("b", inside(1), nil, "3") },
			"VirtualHost 'x' {\n\ta = 1, -- one\n\tb = 3;\n}",
		},
		{
			"in a table", "limits = {\n\tc2s = { burst = '2s', rate = '1kb/s' }, -- of clients\n}",
			func(f *luaedit.File) error { return f.Set("limits", at(1), []string{"c2s", "rate"}, "0") },
			"limits = {\n\tc2s = { burst = '2s', rate = 0 }, -- of clients\n}",
		},
		{
			"a key in brackets", "limits = { ['c2s'] = { [\"rate\"] = 1 } }",
			func(f *luaedit.File) error { return f.Set("limits", at(1), []string{"c2s", "rate"}, "0") },
			"limits = { ['c2s'] = { [\"rate\"] = 0 } }",
		},
		{
			"a key that is not there", "limits = {\n\n\t-- of servers\n\ts2sin = {};\n}",
			func(f *luaedit.File) error { return f.Set("limits", at(1), []string{"c2s", "rate"}, "0") },
			"limits = {\n\tc2s = { rate = 0 };\n\n\t-- of servers\n\ts2sin = {};\n}",
		},
		{
			"items with lines of their own", "m = {\n\t\"a\"; -- A\n\t\"auth_token\"; -- B\n\t'sasl_token' -- C\n}",
			func(f *luaedit.File) error { return f.Remove("m", at(1), out) },
			"m = {\n\t\"a\"; -- A\n}",
		},
		{
			"items beside others", "m = { 'auth_token', \"a\"; [[sasl_token]], 'b', k = 'auth_token' }",
			func(f *luaedit.File) error { return f.Remove("m", at(1), out) },
			"m = { \"a\"; 'b', k = 'auth_token' }",
		},
		{
			"items in comments", "m = {\n--'auth_token';\n--[[ 'auth_token'; ]] 'auth_token'; 'b'\n}",
			func(f *luaedit.File) error { return f.Remove("m", at(1), out[:1]) },
			"m = {\n--'auth_token';\n--[[ 'auth_token'; ]] 'b'\n}",
		},
		{
			"items beside computed ones", "m = { f('auth_token'), 'auth_token', 'sasl_token', 'a' .. 'b' }",
			func(f *luaedit.File) error { return f.Remove("m", at(1), out) },
			"m = { f('auth_token'), 'a' .. 'b' }",
		},
		{
			"a new item on a line", "m = { -- all\n    'a',\n}",
			func(f *luaedit.File) error { return f.Add("m", at(1), []string{"'x'"}) },
			"m = { -- all\n    'x';\n    'a',\n}",
		},
		{
			"a new item among others", "m = {'a'}",
			func(f *luaedit.File) error { return f.Add("m", at(1), []string{"'x'"}) },
			"m = { 'x';'a'}",
		},
		{
			"two new items", "m = {\n\t'a'\n}",
			func(f *luaedit.File) error { return f.Add("m", at(1), []string{"'x'", "'y'"}) },
			"m = {\n\t'x';\n\t'y';\n\t'a'\n}",
		},
		{
			"a new item in an empty list", "m = {}",
			func(f *luaedit.File) error { return f.Add("m", at(1), []string{"'x'"}) },
			"m = { 'x';}",
		},
		{
			"an item in the place of another", "m = {\n\t'auth_token',\n}",
			func(f *luaedit.File) error {
				return errors.Join(f.Remove("m", at(1), out[:1]), f.Add("m", at(1), []string{"'x'"}))
			},
			"m = {\n\t'x';\n}",
		},
		{
			"options of the whole server", "a = 1 -- one\n\n-- Hosts\nVirtualHost 'x'\nb = 2\n",
			func(f *luaedit.File) error { f.InsertGlobal("n = 1\n"); return nil },
			"a = 1 -- one\nn = 1\n\n-- Hosts\nVirtualHost 'x'\nb = 2\n",
		},
		{
			"options of the whole server before a host on the same line", "a = 1 VirtualHost 'x'",
			func(f *luaedit.File) error { f.InsertGlobal("n = 1\n"); return nil },
			"a = 1\nn = 1\n VirtualHost 'x'",
		},
		{
			"options of the whole server before a host on the first line", "-- first\nHost 'x'\n",
			func(f *luaedit.File) error { f.InsertGlobal("n = 1\n"); return nil },
			"n = 1\n-- first\nHost 'x'\n",
		},
		{
			"options of the whole server before hosts in a block", "a = 1\nwhile b do b = f(function() return 1 end) end\nfor i = 1, 2 do\n\tif i then VirtualHost(i) end\nend\nHost 'x'\n",
			func(f *luaedit.File) error { f.InsertGlobal("n = 1\n"); return nil },
			"a = 1\nwhile b do b = f(function() return 1 end) end\nn = 1\nfor i = 1, 2 do\n\tif i then VirtualHost(i) end\nend\nHost 'x'\n",
		},
		{
			"options of the whole server before hosts in a function", "a = 1\nlocal function h()\n\tVirtualHost 'x'\nend\nh()\n",
			func(f *luaedit.File) error { f.InsertGlobal("n = 1\n"); return nil },
			"a = 1\nn = 1\nlocal function h()\n\tVirtualHost 'x'\nend\nh()\n",
		},
		{
			"options of a host", "VirtualHost('x') -- X\n-- more\n",
			func(f *luaedit.File) error { return f.InsertHost(1, []string{"n = 1", "o = 2"}) },
			"VirtualHost('x') -- X\n\tn = 1\n\to = 2\n-- more\n",
		},
		{
			"options of a host with a long comment behind it", "VirtualHost 'x' --[[ our ]] --[==[ long\nremark ]==]\na = 1\n",
			func(f *luaedit.File) error { return f.InsertHost(1, []string{"n = 1"}) },
			"VirtualHost 'x'\n\tn = 1\n --[[ our ]] --[==[ long\nremark ]==]\na = 1\n",
		},
		{
			"options of a host with a table", "VirtualHost 'x' {\n  a = 1;\n}",
			func(f *luaedit.File) error { return f.InsertHost(1, []string{"n = 1", "o = 2"}) },
			"VirtualHost 'x' {\n  n = 1;\n  o = 2;\n  a = 1;\n}",
		},
		{
			"lines at the end", "a = 1\n-- end",
			func(f *luaedit.File) error { f.Append("\nn = 1\n"); return nil },
			"a = 1\n\nn = 1\n-- end",
		},
		{
			"lines at an end without newline", "a = 1",
			func(f *luaedit.File) error { f.Append("n = 1\n"); return nil },
			"a = 1\nn = 1",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, err := luaedit.Parse(test.before)
			if err != nil {
				t.Fatal(err)
			}
			if err := test.change(f); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.after, f.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What is more than a literal outside of any block is left alone.
func TestRefusals(t *testing.T) {
	for _, test := range []struct {
		name, source string
		want         error
	}{
		{"in a block", "if x then a = { 1 } end", luaedit.ErrNotFound},
		{"in a function", "function f() a = { 1 } end", luaedit.ErrNotFound},
		{"on another line", "\na = { 1 }", luaedit.ErrNotFound},
		{"a local variable", "local a = { 1 }", luaedit.ErrNotFound},
		{"a field", "b.a = { 1 }", luaedit.ErrNotFound},
		{"one of several", "b, a = 1, { 1 }", luaedit.ErrNotFound},
		{"the first of several", "a, b = { 1 }, 2", luaedit.ErrNotFound},
		{"several values", "a = { 1 }, 2", luaedit.ErrComputed},
		{"a variable", "a = b", luaedit.ErrComputed},
		{"a call", "a = f { 1 }", luaedit.ErrComputed},
		{"a method", "a = ('x'):rep(2)", luaedit.ErrComputed},
		{"an operator", "a = 'x' .. 'y'", luaedit.ErrComputed},
		{"an alternative", "a = { 1 } or { 2 }", luaedit.ErrComputed},
		{"a negative number", "a = -1", luaedit.ErrComputed},
		{"no table", "a = 'auth_token'", luaedit.ErrNoTable},
		{"a computed item", "a = { 'auth' .. '_token' }", luaedit.ErrComputed},
		{"an item that is a call", "a = { f('x'), 'auth_token' }", luaedit.ErrComputed},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, err := luaedit.Parse(test.source)
			if err != nil {
				t.Fatal(err)
			}
			if err := f.Remove("a", luaedit.Place{Line: 1}, out); !errors.Is(err, test.want) {
				t.Errorf("error %v, want %v", err, test.want)
			}
			if f.String() != test.source {
				t.Errorf("changed to %q", f.String())
			}
		})
	}
}
