package luaconfig_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"xtokend/cmd/xtokend/internal/migrate/luaconfig"
)

const inputs = "../../../../../testdata/migrate"

// dump prints the settings in the file arg[2] as Canonical does. It has them loaded
// by the server's own code, which lies in the folder arg[1].
const dump = `
package.path = arg[1] .. "/?.lua;" .. package.path
package.cpath = arg[1] .. "/?.so;" .. package.cpath
local manager = require "core.configmanager"
local ok, where, message = manager.load(arg[2])
if not ok then error(tostring(where) .. ": " .. tostring(message)) end

local function keys(t, skip)
	local list = {}
	for k in pairs(t) do
		if not (skip and math.type(k) == "integer" and k >= 1 and k <= #t) then list[#list + 1] = k end
	end
	table.sort(list, function(a, b) return tostring(a) < tostring(b) end)
	return list
end
local function text(v)
	if type(v) == "string" then
		return '"' .. v:gsub('[\\"]', '\\%0'):gsub("\n", "\\n"):gsub("\t", "\\t") .. '"'
	elseif type(v) == "number" then
		return ("%.14g"):format(v)
	elseif type(v) == "table" then
		local b = "{"
		for _, item in ipairs(v) do b = b .. text(item) .. ";" end
		for _, k in ipairs(keys(v, true)) do b = b .. tostring(k) .. "=" .. text(v[k]) .. ";" end
		return b .. "}"
	elseif type(v) == "function" then
		return "function"
	end
	return tostring(v)
end
local config = manager.getconfig()
for _, host in ipairs(keys(config)) do
	for _, option in ipairs(keys(config[host])) do
		io.write(host, " ", option, " = ", text(rawget(config[host], option)), "\n")
	end
end
`

// asProsody returns what Prosody makes of the settings in a file.
func asProsody(t *testing.T, path string) string {
	t.Helper()
	prosodyctl, err := exec.LookPath("prosodyctl")
	if err != nil {
		t.Fatalf("is the package prosody installed? %v", err)
	}
	program, err := os.ReadFile(prosodyctl)
	if err != nil {
		t.Fatal(err)
	}
	source := regexp.MustCompile(`(?m)^CFG_SOURCEDIR='(.+)'`).FindSubmatch(program)
	if source == nil {
		t.Fatalf("%s does not say where Prosody's code is", prosodyctl)
	}
	interpreter, _, _ := strings.Cut(string(program), "\n")
	script := filepath.Join(t.TempDir(), "dump.lua")
	if err := os.WriteFile(script, []byte(dump), 0o600); err != nil {
		t.Fatal(err)
	}
	words := strings.Fields(strings.TrimPrefix(interpreter, "#!"))
	command := exec.Command(words[len(words)-1], script, string(source[1]), path)
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", command, err, err.(*exec.ExitError).Stderr)
	}
	return string(out)
}

// Settings mean to us what they mean to Prosody.
func TestEvaluateAsProsodyDoes(t *testing.T) {
	for _, name := range []string{"debian", "buildout", "program"} {
		t.Run(name, func(t *testing.T) {
			folder, err := filepath.Abs(filepath.Join(inputs, name))
			if err != nil {
				t.Fatal(err)
			}
			t.Setenv("SETTINGS", folder)
			path := filepath.Join(folder, "prosody.cfg.lua")
			settings, err := luaconfig.Evaluate(path, luaconfig.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(asProsody(t, path), settings.Canonical()); diff != "" {
				t.Errorf("Prosody (-) has something else than we (+):\n%s", diff)
			}
			if diff := cmp.Diff(settings.Canonical(), settings.Clone().Canonical()); diff != "" {
				t.Errorf("a copy differs:\n%s", diff)
			}
		})
	}
}

// Each option knows the line that it was set in last.
func TestPlaces(t *testing.T) {
	folder := t.TempDir()
	write(t, folder, "prosody.cfg.lua", "a = {\n\t1\n}\n\nInclude 'b.lua'\nVirtualHost 'example.org'\n  c = 2\n  c =\n 3\nVirtualHost 'example.net' { d = 1 }")
	write(t, folder, "b.lua", "\nb = 1 a = 2")
	settings, err := luaconfig.Evaluate(filepath.Join(folder, "prosody.cfg.lua"), luaconfig.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ host, option, want string }{
		{luaconfig.Global, "a", "b.lua:2"},
		{luaconfig.Global, "b", "b.lua:2"},
		{"example.org", "c", "prosody.cfg.lua:8"},
		{"example.net", "d", ""},
	} {
		got := ""
		if place, ok := settings.Place(test.host, test.option); ok {
			got = strings.TrimPrefix(place.String(), folder+"/")
		}
		if got != test.want {
			t.Errorf("%s of %s is at %q, want %q", test.option, test.host, got, test.want)
		}
	}
}

// What is no list of settings ends with an error that says where and why.
func TestEvaluateRefuses(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"syntax", "a = {\n", "prosody.cfg.lua"},
		{"an endless loop", "while true do end", "do not come to an end"},
		{"an endless loop that catches errors", "while true do pcall(function() while true do end end) end", "do not come to an end"},
		{"endless recursion", "local function f() return 1 + f() end f()", "overflow"},
		{"a string that doubles", "local s = 'x' while true do s = s .. s end", "too much memory"},
		{"a long string", "s = ('x'):rep(1e9)", "string.rep: the result is too long"},
		{"a wide field", "s = ('%1000000d'):format(1)", "string.format: the result is too long"},
		{"a precise field", "s = ('%.1000d'):format(1)", "string.format: the result is too long"},
		{"a long list of long strings", "local s, t = ('x'):rep(1e6), {} for i = 1, 1e4 do t[i] = s end s = table.concat(t)", "table.concat: the result is too long"},
		{"a long separator", "local t = {} for i = 1, 1e4 do t[i] = '' end s = table.concat(t, ('x'):rep(1e6))", "table.concat: the result is too long"},
		{"a long replacement", "s = ('x'):rep(1e6):gsub('x', ('y'):rep(1e6))", "string.gsub: the result is too long"},
		{"a replacement that doubles", "s = ('x'):rep(1e4):gsub('.+', ('%0'):rep(1e4))", "string.gsub: the result is too long"},
		{"programs", "\nsecret = io.popen('id')", "prosody.cfg.lua:2: popen is not run"},
		{"os.execute", "os.execute('id')", "execute is not run"},
		{"require", "require 'socket'", "require is not run"},
		{"writing", "io.open('/tmp/x', 'w')", "files are only read here"},
		{"code from text", "load('x = 1')()", "load is not run"},
		{"a file that includes itself", "Include 'prosody.cfg.lua'", "too many files"},
		{"a file that is not there", "Include 'missing.lua'", "missing.lua: no such file"},
		{"no folder", "Include 'missing/*.lua'", "cannot read the folder"},
		{"a host twice", "VirtualHost 'a.example' Component 'A.example' 'muc'", "is a VirtualHost already"},
		{"a component twice", "Component 'a.example' 'muc' VirtualHost 'a.example'", "is a Component already"},
		{"a host with a module", "VirtualHost 'a.example' 'muc'", "must be followed by options"},
		{"a table in itself", "local t = {} t.t = t loop = t", "nested too deep"},
		{"deep tables", "local x = {} for i = 1, 100 do x = { x } end deep = x", "nested too deep"},
	} {
		t.Run(test.name, func(t *testing.T) {
			folder := t.TempDir()
			write(t, folder, "prosody.cfg.lua", test.text)
			_, err := luaconfig.Evaluate(filepath.Join(folder, "prosody.cfg.lua"), luaconfig.Options{})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}

// One call that takes seconds does not hold anybody up.
func TestTimeout(t *testing.T) {
	folder := t.TempDir()
	write(t, folder, "prosody.cfg.lua", "a = (('a'):rep(3000)):find('.-.-.-b')")
	_, err := luaconfig.Evaluate(filepath.Join(folder, "prosody.cfg.lua"), luaconfig.Options{Timeout: time.Millisecond})
	if err == nil || !strings.Contains(err.Error(), "do not come to an end") {
		t.Errorf("error %v", err)
	}
}

// Secrets that settings fetch from elsewhere.
func TestSecretsElsewhere(t *testing.T) {
	folder := t.TempDir()
	write(t, folder, "lines", "one\ntwo\n")
	write(t, folder, "prosody.cfg.lua", `
a = FileContents "lines"
b = FileLine "lines"
c = FileLines "lines"
d = Credential "lines"
local list = {}
for line in io.lines(ENV_CREDENTIALS_DIRECTORY .. "/lines") do list[#list + 1] = line end
e = list
f = io.open("/missing/file") == nil
`)
	settings, err := luaconfig.Evaluate(filepath.Join(folder, "prosody.cfg.lua"),
		luaconfig.Options{Environ: []string{"CREDENTIALS_DIRECTORY=" + folder}})
	if err != nil {
		t.Fatal(err)
	}
	const want = `* a = "one\ntwo\n"
* b = "one"
* c = {"one";"two";}
* d = "one\ntwo\n"
* e = {"one";"two";}
* f = true
`
	if diff := cmp.Diff(want, settings.Canonical()); diff != "" {
		t.Error(diff)
	}
}

func write(t *testing.T, folder, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
