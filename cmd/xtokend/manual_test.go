package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	manualCommand = regexp.MustCompile(`(?m)^\.SS xtokend ([a-z]+)`)
	manualFlag    = regexp.MustCompile(`(?m)^\.TP\n\.BI? (\\-\\-[a-z\\-]+)(?: " ([A-Z]+)")?$`)
)

// whatToDo is for who has added a command or a flag, or taken one away.
const whatToDo = "describe it in packaging/xtokend.1, in the order of `xtokend --help`, as its neighbours are: a command is .SS, a flag .TP"

// xtokend(1) has each command with its flags, what they take and what they are if
// they are not given, and its arguments.
func TestTheManualPageIsComplete(t *testing.T) {
	text, err := os.ReadFile("../../packaging/xtokend.1")
	if err != nil {
		t.Fatal(err)
	}
	page, _, _ := strings.Cut(string(text), "\n.SH EXIT STATUS\n")
	sections := map[string]string{}
	var documented []string
	places := manualCommand.FindAllStringSubmatchIndex(page, -1)
	for i, place := range places {
		end := len(page)
		if i+1 < len(places) {
			end = places[i+1][0]
		}
		name := page[place[2]:place[3]]
		documented = append(documented, name)
		sections[name] = page[place[0]:end]
	}
	program := model(t)
	if diff := cmp.Diff(commandNames(program), documented); diff != "" {
		t.Fatalf("commands (-program +page): %s\n%s", diff, whatToDo)
	}
	for _, command := range program.Children {
		section := sections[command.Name]
		heading, _, _ := strings.Cut(section, "\n")
		var want, got []string
		for _, f := range flagsOf(command) {
			if f.Name == "help" { // which the page has once for all
				continue
			}
			takes := ""
			if !f.IsBool() {
				takes = " " + f.PlaceHolder
			}
			want = append(want, "--"+f.Name+takes)
		}
		for _, found := range manualFlag.FindAllStringSubmatch(section, -1) {
			got = append(got, strings.TrimSpace(strings.ReplaceAll(found[1], `\`, "")+" "+found[2]))
		}
		slices.Sort(want)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("flags of %s (-program +page): %s\n%s", command.Name, diff, whatToDo)
		}
		for _, f := range flagsOf(command) {
			described := f.Name == "config" && command.Name != "serve" // with serve
			if !described && f.HasDefault && !strings.Contains(strings.ReplaceAll(section, `\`, ""), f.Default) {
				t.Errorf("%s: the default of --%s, %s, is not in packaging/xtokend.1", command.Name, f.Name, f.Default)
			}
		}
		for _, a := range command.Positional {
			words := a.EnumSlice()
			if a.Enum == "" {
				words = []string{strings.ToUpper(a.Name)}
			}
			for _, word := range words {
				if !strings.Contains(heading, word) {
					t.Errorf("%s: %s is not in %q of packaging/xtokend.1", command.Name, word, heading)
				}
			}
		}
	}
}
