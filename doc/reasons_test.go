package doc_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// source is a package of the program, as it is written.
type source struct {
	t     *testing.T
	dir   string
	files []*ast.File
}

func parse(t *testing.T, dir string) *source {
	t.Helper()
	s := &source{t: t, dir: dir}
	paths, err := filepath.Glob(filepath.Join("..", dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		s.files = append(s.files, file)
	}
	if len(s.files) == 0 {
		t.Fatalf("there is no package %s", dir)
	}
	return s
}

// texts are the string constants that the package declares, by name, of those types;
// "" is none.
func (s *source) texts(types ...string) map[string]string {
	texts := make(map[string]string)
	s.inspect(func(n ast.Node) {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Names) != len(spec.Values) || !slices.Contains(types, typeName(spec.Type)) {
			return
		}
		for i, name := range spec.Names {
			if text, ok := literal(spec.Values[i]); ok {
				texts[name.Name] = text
			}
		}
	})
	return texts
}

func (s *source) inspect(visit func(ast.Node)) {
	for _, file := range s.files {
		ast.Inspect(file, func(n ast.Node) bool {
			visit(n)
			return true
		})
	}
}

func typeName(e ast.Expr) string {
	if name, ok := e.(*ast.Ident); ok {
		return name.Name
	}
	return ""
}

// name is that of an identifier, with or without its package.
func name(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

func literal(e ast.Expr) (string, bool) {
	basic, ok := e.(*ast.BasicLit)
	if !ok || basic.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(basic.Value)
	return text, err == nil
}

// reasonsOfRefusals are the words that the program can log and count a refused login by,
// as its source has them: what it passes to sasl.Fail, and what an upstream refuses with.
// A reason in a form that is not understood here is an error.
func reasonsOfRefusals(t *testing.T) []string {
	t.Helper()
	named := parse(t, "auth").texts("Reason")
	for _, more := range []map[string]string{parse(t, "sasl").texts("Condition"), parse(t, "component/server").texts("")} {
		maps.Copy(named, more)
	}
	reasons := make(map[string]bool)
	for _, dir := range []string{"sasl", "component", "component/server", "component/host"} {
		s := parse(t, dir)
		add := func(e ast.Expr) {
			if call, ok := e.(*ast.CallExpr); ok && typeName(call.Fun) == "string" && len(call.Args) == 1 {
				e = call.Args[0]
			}
			text, ok := literal(e)
			if !ok {
				text, ok = named[name(e)]
			}
			switch {
			case ok:
				reasons[text] = true
			case name(e) != "Reason" && name(e) != "reason": // which were looked at where they came from
				t.Errorf("%s: a reason in a form that this test does not know", dir)
			}
		}
		s.inspect(func(n ast.Node) {
			switch n := n.(type) {
			case *ast.CallExpr:
				if name(n.Fun) == "Fail" && len(n.Args) == 3 {
					add(n.Args[1])
				}
				if dir == "component/server" && name(n.Fun) == "refused" {
					add(n.Args[0])
				}
			case *ast.CompositeLit:
				if name(n.Type) != "Refusal" {
					return
				}
				for _, e := range n.Elts {
					if pair, ok := e.(*ast.KeyValueExpr); ok && name(pair.Key) == "Reason" {
						add(pair.Value)
					}
				}
			}
		})
	}
	// Refusals of auth come through sasl whole.
	for _, text := range parse(t, "auth").texts("Reason") {
		reasons[text] = true
	}
	return slices.Sorted(maps.Keys(reasons))
}

var inCode = regexp.MustCompile("`([^`]+)`")

// rows are the words in code in the first column of the tables of a section.
func rows(t *testing.T, page, heading string) []string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n"+heading+"\n")
	if !found {
		t.Fatalf("%s has no section %s", page, heading)
	}
	level, _, _ := strings.Cut(heading, " ")
	for _, next := range []string{"\n# ", "\n## ", "\n### "}[:len(level)] {
		section, _, _ = strings.Cut(section, next)
	}
	var words []string
	for line := range strings.Lines(section) {
		first, _, _ := strings.Cut(strings.TrimPrefix(line, "| "), " |")
		if !strings.HasPrefix(line, "| ") {
			continue
		}
		for _, m := range inCode.FindAllStringSubmatch(first, -1) {
			words = append(words, m[1])
		}
	}
	slices.Sort(words)
	return words
}

// Each reason that the log and the metrics can give is explained once, and none that
// they cannot.
func TestEachReasonIsExplained(t *testing.T) {
	known := reasonsOfRefusals(t)
	if len(known) < 18 {
		t.Errorf("the program has the reasons %q alone", known)
	}
	for page, heading := range map[string]string{"guide.md": "### Reasons of refused logins", "architecture.md": "## Where a login may fail"} {
		if got := rows(t, page, heading); !slices.Equal(got, known) {
			t.Errorf("%s explains %q,\nthe program knows %q", page, got, known)
		}
	}
}

// What `xtokend explain` begins with is a reason of the log, or ok.
func TestExplainHasTheReasonsOfTheLog(t *testing.T) {
	known := reasonsOfRefusals(t)
	named := parse(t, "auth").texts("Reason", "")
	verdicts := make(map[string]bool)
	parse(t, "auth").inspect(func(n ast.Node) {
		made, ok := n.(*ast.CompositeLit)
		if !ok || typeName(made.Type) != "Explanation" {
			return
		}
		verdict := made.Elts[0]
		if call, ok := verdict.(*ast.CallExpr); ok {
			verdict = call.Args[0]
		}
		text, ok := named[name(verdict)]
		if !ok {
			t.Error("a verdict in a form that this test does not know")
		}
		verdicts[text] = true
	})
	guide, err := os.ReadFile("guide.md")
	if err != nil {
		t.Fatal(err)
	}
	_, sentence, _ := strings.Cut(string(guide), "\n`xtokend explain` says ")
	sentence, _, _ = strings.Cut(sentence, ",\nas of now")
	sentence, _, _ = strings.Cut(sentence, ", as of now")
	said := make(map[string]bool)
	for _, m := range inCode.FindAllStringSubmatch(sentence, -1) {
		said[m[1]] = true
	}
	if !maps.Equal(said, verdicts) {
		t.Errorf("the guide says that the verdicts are %v; they are %v", said, verdicts)
	}
	for verdict := range verdicts {
		if verdict != "ok" && !slices.Contains(known, verdict) {
			t.Errorf("the log does not know the verdict %s", verdict)
		}
	}
}

var camel = regexp.MustCompile("([a-z])([A-Z])")

// Each way in which a session can end is explained once, and none in which it cannot.
func TestEachEndOfASessionIsExplained(t *testing.T) {
	ends := make(map[string]bool)
	s := parse(t, "component")
	s.inspect(func(n ast.Node) {
		switch n := n.(type) {
		case *ast.CallExpr: // fail(stream.HostUnknown, …)
			if called := name(n.Fun); called != "fail" && called != "with" || len(n.Args) != 2 {
				return
			}
			condition, ok := n.Args[0].(*ast.SelectorExpr)
			if !ok || name(condition.X) != "stream" {
				t.Errorf("a stream error in a form that this test does not know")
				return
			}
			ends[strings.ToLower(camel.ReplaceAllString(condition.Sel.Name, "$1-$2"))] = true
		case *ast.ValueSpec: // errDropped = errors.New(…), as endReason lists them
			for i, value := range n.Values {
				if call, ok := value.(*ast.CallExpr); ok && name(call.Fun) == "New" && len(call.Args) == 1 && listed(s, n.Names[i].Name) {
					text, _ := literal(call.Args[0])
					ends[text] = true
				}
			}
		}
	})
	known := slices.Sorted(maps.Keys(ends))
	if len(known) < 20 {
		t.Errorf("the program has the ends %q alone", known)
	}
	if got := rows(t, "guide.md", "### Ends of sessions, and pages"); !slices.Equal(got, known) {
		t.Errorf("the guide explains %q,\nthe program knows %q", got, known)
	}
}

// listed says whether endReason knows an error by its name.
func listed(s *source, err string) (found bool) {
	s.inspect(func(n ast.Node) {
		if f, ok := n.(*ast.FuncDecl); ok && f.Name.Name == "endReason" {
			ast.Inspect(f, func(n ast.Node) bool {
				if id, ok := n.(*ast.Ident); ok && id.Name == err {
					found = true
				}
				return true
			})
		}
	})
	return found
}
