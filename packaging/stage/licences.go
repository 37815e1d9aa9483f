package main

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// licenceFile matches what a module that is passed on must be accompanied by.
var licenceFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents)([.-].*)?$`)

// licences returns the licences and notices of all that is in the program, Go's
// own first.
func licences(p *program) ([]byte, error) {
	var b bytes.Buffer
	root, err := goCommand("env", "GOROOT")
	if err != nil {
		return nil, err
	}
	if err := appendLicences(&b, "Go "+p.GoVersion, root); err != nil {
		return nil, err
	}
	for _, m := range p.Deps {
		found, err := goCommand("list", "-m", "-f", "{{.Version}} {{.Dir}}", m.Path)
		if err != nil {
			return nil, err
		}
		version, folder, _ := strings.Cut(found, " ")
		if version != m.Version {
			return nil, fmt.Errorf("the program has %s %s, the sources ask for %s: build it anew", m.Path, m.Version, version)
		}
		if err := appendLicences(&b, m.Path+" "+m.Version, folder); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

func appendLicences(b *bytes.Buffer, module, folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	entries = slices.DeleteFunc(entries, func(e os.DirEntry) bool { return e.IsDir() || !licenceFile.MatchString(e.Name()) })
	if len(entries) == 0 {
		return fmt.Errorf("%s: there is no licence in %s", module, folder)
	}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(folder, e.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(b, "==== %s: %s\n\n%s\n\n", module, e.Name(), bytes.TrimSpace(text))
	}
	return nil
}

// goCommand runs the go command that built the program, which $GO names.
func goCommand(args ...string) (string, error) {
	out, err := exec.Command(cmp.Or(os.Getenv("GO"), "go"), args...).Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}

// copyrightFile writes LICENSE as Debian wants it (copyright-format 1.0): its
// heading and the line of the copyright have fields of their own.
func copyrightFile(licence []byte) []byte {
	var holder string
	var text []string
	for line := range strings.Lines(string(licence)) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "BSD 2-Clause"):
		case strings.HasPrefix(line, "Copyright (c) "):
			holder = strings.TrimPrefix(line, "Copyright (c) ")
		case line != "":
			text = append(text, " "+line)
		case len(text) > 0:
			text = append(text, " .")
		}
	}
	return fmt.Appendf(nil, `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: xtokend
Comment: The program contains modules of others. sbom.cdx.json lists them, and
 modules.txt.gz has their licences.

Files: *
Copyright: %s
License: BSD-2-clause
%s
`, holder, strings.Join(text, "\n"))
}
