package luaedit_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/yuin/gopher-lua/parse"

	"xtokend/cmd/xtokend/internal/migrate/luaedit"
)

// emptyField is what gopher-lua takes within a table, and Lua does not (Lua 5.4 §3.4.9).
var emptyField = regexp.MustCompile(`[,;](\s|--[^\n]*\n)*[,;]`)

// Whatever is Lua is taken apart, stays as it is without a change, and is still Lua
// after any change that is not refused.
func FuzzFile(f *testing.F) {
	inputs, err := filepath.Glob("../../../../../testdata/migrate/*/prosody.cfg.lua")
	if err != nil || len(inputs) == 0 {
		f.Fatalf("no inputs: %v", err)
	}
	for _, path := range inputs {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add("m = { 'x'; k = { 'y' }, [\"z\"] = function() end, [ [[l]] ] = 1 } VirtualHost 'a' { m = {} }")
	f.Fuzz(func(t *testing.T, source string) {
		isLua := func(text string) bool {
			_, err := parse.Parse(strings.NewReader(text), "fuzz")
			return err == nil
		}
		if len(source) > 5000 || emptyField.MatchString(source) || !isLua(source) {
			return
		}
		file, err := luaedit.Parse(source)
		if err != nil {
			t.Fatalf("%q is Lua, but: %v", source, err)
		}
		if file.String() != source {
			t.Fatalf("%q has become %q", source, file.String())
		}
		for line := 1; line <= min(strings.Count(source, "\n")+1, 10); line++ {
			for _, inside := range []bool{false, true} {
				place := luaedit.Place{Line: line, Inside: inside}
				change(t, source, isLua, func(f *luaedit.File) error { return f.Set("m", place, []string{"k", "l"}, `"v"`) })
				change(t, source, isLua, func(f *luaedit.File) error { return f.Remove("m", place, []string{"x"}) })
				change(t, source, isLua, func(f *luaedit.File) error { return f.Add("m", place, []string{`"n"`}) })
			}
			change(t, source, isLua, func(f *luaedit.File) error { return f.InsertHost(line, []string{"n = 1"}) })
		}
	})
}

func change(t *testing.T, source string, isLua func(string) bool, make func(*luaedit.File) error) {
	t.Helper()
	file, err := luaedit.Parse(source)
	if err != nil {
		t.Fatal(err)
	}
	if err := make(file); err == nil && !isLua(file.String()) {
		t.Fatalf("%q has become %q, which is no Lua", source, file.String())
	}
}
