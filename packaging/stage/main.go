// Command stage lays out the files of xtokend's Debian package: what is made of
// the sources and of the program goes into a folder, from which nfpm packs it.
// It runs at the top of the sources:
//
//	MAINTAINER='NAME <ADDRESS>' go run ./packaging/stage PROGRAM FOLDER
//
// Its standard output is the environment of packaging/nfpm.yaml, for a shell. The
// same commit gives the same bytes, wherever and whenever it is built.
package main

import (
	"fmt"
	"os"
)

func main() {
	if len(os.Args) != 3 || os.Getenv("MAINTAINER") == "" {
		fmt.Fprintln(os.Stderr, "usage: MAINTAINER='NAME <ADDRESS>' go run ./packaging/stage PROGRAM FOLDER")
		os.Exit(2)
	}
	p, err := readProgram(os.Args[1])
	if err == nil {
		err = stage(p, os.Args[2])
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "xtokend: error: %v\n", err)
		os.Exit(1)
	}
	fmt.Printf("VERSION=%s\nARCH=%s\nSOURCE_DATE_EPOCH=%d\n", p.debianVersion(), p.arch, p.built.Unix())
}

// stage writes all files of the package that are not in the sources as they are.
func stage(p *program, folder string) error {
	t := &tree{folder: folder, time: p.built}
	licences, err := licences(p)
	if err != nil {
		return err
	}
	sbom, err := sbom(p)
	if err != nil {
		return err
	}
	t.write("sbom.cdx.json", sbom)
	t.compress("modules.txt.gz", licences)
	t.compress("changelog.gz", t.read("CHANGELOG.md"))
	t.compress("changelog.Debian.gz", p.debianChangelog(os.Getenv("MAINTAINER")))
	t.write("copyright", copyrightFile(t.read("LICENSE")))
	t.compress("xtokend.1.gz", p.stamp(t.read("packaging/xtokend.1")))
	settings := settingsPage(t.read("packaging/xtokend.toml.5"), t.read("contrib/xtokend.toml"))
	t.compress("xtokend.toml.5.gz", p.stamp(settings))
	t.write("xtokend.service", packagedUnit(t.read("contrib/xtokend.service")))
	return t.err
}
