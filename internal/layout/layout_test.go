// Package layout holds the rules about who imports whom.
package layout

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// allowed names, for each package of the program, what it may import of ours. A
// name that ends in /... stands for all below it. A package that is not listed
// falls under its nearest listed parent.
var allowed = map[string][]string{
	"auth":                   {"auth/replay"},
	"auth/replay":            {},
	"auth/replay/replaytest": {"auth/replay"},
	"sasl":                   {"auth"},
	"bench":                  {"bench/result", "internal/installation", "internal/prosody", "internal/stockserver", "internal/testcert"},
	"bench/floor":            {},
	"bench/loadgen":          {"bench/result"},
	"component":              {"auth", "sasl", "component/upstream", "internal/element", "internal/longestqueue", "internal/proxyheader", "internal/socket", "internal/storm", "internal/tally", "internal/xmlsplit"},
	"component/upstream":     {"sasl"},
	"component/server":       {"sasl", "component/upstream", "internal/element", "internal/socket", "internal/xmlsplit"},
	"component/link":         {"component/host/disco", "component/server", "internal/xmlsplit"},
	"component/host":         {"component/host/...", "component/upstream", "internal/element", "internal/xmlsplit", "sasl"},
	"component/host/disco":   {"component/host/form"},
	"component/host/form":    {"internal/element"},
	"component/host/journal": {"internal/boltfile"},
	"component/host/muc":     {"component/host/disco", "component/host/form", "component/host/wire", "internal/element"},
	"component/host/wire":    {"internal/element", "internal/framing", "internal/xmlsplit"},
	"component/web":          {"component", "internal/bosh", "internal/element", "internal/framing", "internal/httpguard", "internal/longestqueue", "internal/proxyheader", "internal/socket", "internal/storm", "internal/tally", "internal/xmlsplit"},
	"contrib/issuers/go":     {"auth"},
	"contrib/issuers/go/cmd": {"auth", "contrib/issuers/go"},
	"cmd/xtokend":            {"auth/...", "sasl", "component/...", "cmd/xtokend/...", "internal/httpguard", "internal/storm"},
	"internal/element":       {"internal/xmlsplit"},
	"internal/flood":         {"internal/transcript"},
	"internal/framing":       {"internal/element"},
	"internal/fronttest":     {"internal/xmlsplit"},
	"internal/installation":  {"internal/stockserver", "internal/testcert"},
	"internal/ejabberd":      {"internal/stockserver"},
	"internal/ejabberdtest":  {"internal/ejabberd", "internal/stockserver/..."},
	"internal/prosody":       {"internal/stockserver"},
	"internal/prosodytest":   {"internal/prosody", "internal/stockserver/..."},
	"internal/stockserver":   {"internal/stockserver/...", "internal/testcert"},
	"internal/nginxtest":     {"internal/watch"},
	"internal/redistest":     {"internal/testcert"},
	"internal/vectors":       {"auth", "auth/replay"},
	"internal":               {}, // everything else there stands alone

	"cmd/xtokend/internal/doctor": {"auth", "cmd/xtokend/internal/config", "component/link", "component/server", "internal/element", "internal/xmlsplit"},
}

func TestImportsPointOneWay(t *testing.T) {
	root := filepath.Join("..", "..")
	found := make(map[string]bool)
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && (name == "node_modules" || name == "testdata" || name == "e2e" || strings.HasPrefix(name, ".") && file != root) {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		rel, err := filepath.Rel(root, filepath.Dir(file))
		if err != nil {
			return err
		}
		pkg := filepath.ToSlash(rel)
		found[pkg] = true
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			ours, ok := strings.CutPrefix(imported, "xtokend/")
			if ok && ours != pkg && !permits(rules(pkg), ours) {
				t.Errorf("%s imports %s", file, imported)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, pkg := range []string{"auth", "sasl", "component", "cmd/xtokend"} {
		if !found[pkg] {
			t.Errorf("package %s was not found", pkg)
		}
	}
}

func rules(pkg string) []string {
	for p := pkg; p != "."; p = path.Dir(p) {
		if r, ok := allowed[p]; ok {
			return r
		}
	}
	return nil
}

func permits(rules []string, imported string) bool {
	for _, rule := range rules {
		below, all := strings.CutSuffix(rule, "/...")
		if imported == rule || all && (imported == below || strings.HasPrefix(imported, below+"/")) {
			return true
		}
	}
	return false
}
