package main

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"The shell: bash, zsh or fish."`
}

// Help is shown behind the flags.
func (*completionCommand) Help() string {
	return `With it the shell completes commands, flags and what they take. The Debian package
has it in place already. Else, for bash, this line in ~/.bashrc:
  source <(xtokend completion bash)`
}

// Run prints a script that teaches the shell the command line as it is parsed.
func (c *completionCommand) Run(p *process, command *kong.Context) error {
	write := map[string]func(io.Writer, *kong.Node){"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion}
	write[c.Shell](p.stdout, command.Model.Node)
	return nil
}

// bashCompletion offers flags to what begins with a dash, and names of files where
// it knows nothing better.
func bashCompletion(w io.Writer, program *kong.Node) {
	fmt.Fprintf(w, `_%[1]s() {
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command='' flags='' words='' i
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--) return ;;
		-*) ;;
		*)
			command=${COMP_WORDS[i]}
			break
			;;
		esac
	done
	case $command in
	'')
		flags='--help'
		words='%[2]s'
		;;
`, program.Name, strings.Join(commandNames(program), " "))
	for _, command := range program.Children {
		fmt.Fprintf(w, "\t%s)\n\t\tcase $previous in\n", command.Name)
		var flags []string
		for _, f := range flagsOf(command) {
			flags = append(flags, "--"+f.Name)
			switch {
			case f.IsBool():
			case f.Enum != "":
				fmt.Fprintf(w, "\t\t--%s)\n\t\t\tCOMPREPLY=($(compgen -W '%s' -- \"$current\"))\n"+
					"\t\t\treturn\n\t\t\t;;\n", f.Name, choices(f.Value))
			default:
				fmt.Fprintf(w, "\t\t--%s) return ;;\n", f.Name)
			}
		}
		fmt.Fprintf(w, "\t\tesac\n\t\tflags='%s'\n\t\twords='%s'\n\t\t;;\n",
			strings.Join(flags, " "), choices(command.Positional...))
	}
	fmt.Fprintf(w, `	esac
	if [[ $current == -* ]]; then words=$flags; fi
	COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _%[1]s %[1]s
`, program.Name)
}

// zshCompletion is a file of zsh's $fpath, which can be sourced as well.
func zshCompletion(w io.Writer, program *kong.Node) {
	fmt.Fprintf(w, "#compdef %[1]s\n_%[1]s() {\n"+
		"\tlocal context state state_descr line\n\tlocal -a commands\n\tcommands=(\n", program.Name)
	for _, command := range program.Children {
		fmt.Fprintf(w, "\t\t%s\n", quote(command.Name+":"+command.Help))
	}
	fmt.Fprint(w, "\t)\n\t_arguments -C '--help[Show help]' '1:command:->command' '*::argument:->argument'\n"+
		"\tcase $state in\n\tcommand) _describe command commands ;;\n\targument)\n\t\tcase $words[1] in\n")
	inBrackets := strings.NewReplacer(`\`, `\\`, "[", `\[`, "]", `\]`)
	for _, command := range program.Children {
		fmt.Fprintf(w, "\t\t%s)\n\t\t\t_arguments", command.Name)
		for _, f := range flagsOf(command) {
			spec := "--" + f.Name
			if !f.IsBool() {
				spec += "="
			}
			if f.IsCumulative() {
				spec = "*" + spec
			}
			spec += "[" + inBrackets.Replace(f.Help) + "]"
			if !f.IsBool() {
				spec += ":" + f.PlaceHolder + ":" + zshAction(f.Value, f.PlaceHolder)
			}
			fmt.Fprintf(w, " \\\n\t\t\t\t%s", quote(spec))
		}
		for i, a := range command.Positional {
			place := fmt.Sprint(i + 1)
			if a.IsCumulative() {
				place = "*"
			}
			fmt.Fprintf(w, " \\\n\t\t\t\t%s", quote(place+":"+a.Name+":"+zshAction(a, a.Name)))
		}
		fmt.Fprint(w, "\n\t\t\t;;\n")
	}
	fmt.Fprintf(w, "\t\tesac\n\t\t;;\n\tesac\n}\n"+
		"if [ \"$funcstack[1]\" = _%[1]s ]; then _%[1]s \"$@\"; else compdef _%[1]s %[1]s; fi\n", program.Name)
}

// zshAction is what completes a value that help calls by a name.
func zshAction(v *kong.Value, name string) string {
	switch {
	case v.Enum != "":
		return "(" + choices(v) + ")"
	case name == "DIR":
		return "_files -/"
	case takesFile(name):
		return "_files"
	}
	return " "
}

func fishCompletion(w io.Writer, program *kong.Node) {
	fmt.Fprintf(w, "complete -c %s -n __fish_use_subcommand -f -l help -d 'Show help'\n", program.Name)
	for _, command := range program.Children {
		fmt.Fprintf(w, "complete -c %s -n __fish_use_subcommand -f -a %s -d %s\n",
			program.Name, command.Name, fishQuote(command.Help))
	}
	for _, command := range program.Children {
		begin := fmt.Sprintf("complete -c %s -n '__fish_seen_subcommand_from %s'", program.Name, command.Name)
		for _, f := range flagsOf(command) {
			takes := ""
			switch {
			case f.IsBool():
			case f.Enum != "":
				takes = fmt.Sprintf(" -x -a '%s'", choices(f.Value))
			case takesFile(f.PlaceHolder):
				takes = " -r -F"
			default:
				takes = " -x"
			}
			fmt.Fprintf(w, "%s -l %s%s -d %s\n", begin, f.Name, takes, fishQuote(f.Help))
		}
		words := choices(command.Positional...)
		switch {
		case words != "":
			fmt.Fprintf(w, "%s -f -a '%s'\n", begin, words)
		case !slices.ContainsFunc(command.Positional, func(a *kong.Positional) bool { return a.IsCumulative() || takesFile(a.Name) }):
			fmt.Fprintf(w, "%s -f\n", begin)
		}
	}
}

// commandNames are those of all commands.
func commandNames(program *kong.Node) []string {
	var all []string
	for _, command := range program.Children {
		all = append(all, command.Name)
	}
	return all
}

// flagsOf returns a command's flags, --help among them.
func flagsOf(command *kong.Node) []*kong.Flag {
	var all []*kong.Flag
	for _, group := range command.AllFlags(true) {
		all = append(all, group...)
	}
	return all
}

// choices are the words that values can be, with blanks between.
func choices(values ...*kong.Value) string {
	var all []string
	for _, v := range values {
		if v.Enum != "" {
			all = append(all, v.EnumSlice()...)
		}
	}
	return strings.Join(all, " ")
}

// takesFile reports whether a value of that name in the help is a path. One with an
// extension is a file's own.
func takesFile(name string) bool {
	switch name {
	case "FILE", "PATH", "DIR":
		return true
	}
	return filepath.Ext(name) != ""
}

// quote makes one word of text, for a POSIX shell.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// fishQuote makes one word of text for fish, to which a backslash means something
// in quotes too.
func fishQuote(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(text) + "'"
}
