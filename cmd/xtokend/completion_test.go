package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"
)

// completion prints the script for a shell to a file and returns its path.
func completion(t *testing.T, shell string) string {
	t.Helper()
	var out, errs bytes.Buffer
	p := &process{stdout: &out, stderr: &errs}
	if status := p.run([]string{"completion", shell}, nil); status != exitOK {
		t.Fatalf("exit status %d: %s", status, &errs)
	}
	path := filepath.Join(t.TempDir(), "xtokend."+shell)
	if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// model returns the grammar of the command line, and checks that it has the shape
// that completion and the manual page rely on.
func model(t *testing.T) *kong.Node {
	t.Helper()
	program := (&process{}).grammar(nil).Model.Node
	for _, command := range program.Children {
		if !command.Leaf() {
			t.Fatalf("%s has commands of its own: teach completion.go and the tests of packaging/xtokend.1 about them", command.Name)
		}
	}
	return program
}

// offered runs a shell's own completion. Its answer is one word a line, with fish
// followed by a tab and a text.
func offered(t *testing.T, shell, script string, words ...string) []string {
	t.Helper()
	asked := map[string][]string{
		"bash": {"bash", "--norc", "-c", `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _xtokend
			[ ${#COMPREPLY[@]} -eq 0 ] || printf '%s\n' "${COMPREPLY[@]}"`, "bash", script},
		"fish": {"fish", "--no-config", "-c", `source $argv[1]; complete -C (string join -- ' ' $argv[2..])`, "--", script},
	}[shell]
	command := exec.CommandContext(t.Context(), asked[0], append(asked[1:], words...)...)
	command.Dir = filepath.Dir(script) // its only file is the script
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%s: %v", shell, err)
	}
	var all []string
	for line := range strings.Lines(string(out)) {
		word, _, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		all = append(all, word)
	}
	slices.Sort(all)
	return all
}

// What is offered is what the command line takes.
func TestCompletion(t *testing.T) {
	program := model(t)
	for _, shell := range []string{"bash", "fish"} {
		t.Run(shell, func(t *testing.T) {
			script := completion(t, shell)
			commands := commandNames(program)
			slices.Sort(commands)
			if diff := cmp.Diff(commands, offered(t, shell, script, "xtokend", "")); diff != "" {
				t.Errorf("commands: %s", diff)
			}
			for _, command := range program.Children {
				var flags []string
				for _, f := range flagsOf(command) {
					flags = append(flags, "--"+f.Name)
				}
				slices.Sort(flags)
				if diff := cmp.Diff(flags, offered(t, shell, script, "xtokend", command.Name, "--")); diff != "" {
					t.Errorf("flags of %s: %s", command.Name, diff)
				}
			}
			for _, c := range []struct {
				name  string
				words []string
				want  []string
			}{
				{"the beginning of a command", []string{"xtokend", "exp"}, []string{"explain"}},
				{"what an argument can be", []string{"xtokend", "accounts", ""}, []string{"add", "list", "remove"}},
				{"the beginning of an argument", []string{"xtokend", "accounts", "--config", "a.toml", "re"}, []string{"remove"}},
				{"what a flag can be", []string{"xtokend", "demo", "--log", ""}, []string{"debug", "error", "info", "warn"}},
			} {
				if diff := cmp.Diff(c.want, offered(t, shell, script, c.words...)); diff != "" {
					t.Errorf("%s: %s", c.name, diff)
				}
			}
		})
	}
}

// A flag's file is left to bash, which offers files where a function offers nothing.
func TestCompletionOfFilesInBash(t *testing.T) {
	script := completion(t, "bash")
	for _, words := range [][]string{{"xtokend", "check", "--config", ""}, {"xtokend", "demo", "--", "np"}} {
		if got := offered(t, "bash", script, words...); got != nil {
			t.Errorf("%q: %q", words, got)
		}
	}
}

// fish offers files where nothing else is said.
func TestCompletionOfFilesInFish(t *testing.T) {
	script := completion(t, "fish")
	file := []string{filepath.Base(script)} // the only one
	for command, want := range map[string][]string{"migrate": file, "check --config": file, "check": nil, "token": nil} {
		if diff := cmp.Diff(want, offered(t, "fish", script, "xtokend", command, "")); diff != "" {
			t.Errorf("%s: %s", command, diff)
		}
	}
}

// Texts of the help have quotes and brackets in them.
func TestCompletionIsReadByZsh(t *testing.T) {
	script := completion(t, "zsh")
	// compdef is what comes with zsh's completion system, which only a terminal has.
	out, err := exec.CommandContext(t.Context(), "zsh", "-f", "-c",
		`compdef() { print -r -- $1 $2 }
		_arguments() { print -rl -- "$@"; state=argument; words=(accounts) }
		source "$1"; _xtokend`, "zsh", script).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		"_xtokend xtokend\n", // compdef
		"--domain=[The domain, if several are configured.]:NAME: \n",
		"1:action:(add remove list)\n",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%q is not in %s", want, out)
		}
	}
}
