package main

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"time"
)

// program is what the build has written into the program, and what follows from it.
type program struct {
	*buildinfo.BuildInfo
	arch   string    // GOARCH
	built  time.Time // of the commit
	sha256 string    // of the file, in hex
}

// readProgram reads a program that was built with -trimpath in a clone of the sources.
func readProgram(path string) (*program, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	info, err := buildinfo.Read(bytes.NewReader(content))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	sum := sha256.Sum256(content)
	p := &program{BuildInfo: info, sha256: hex.EncodeToString(sum[:])}
	var committed string
	for _, s := range info.Settings {
		switch s.Key {
		case "GOARCH":
			p.arch = s.Value
		case "vcs.time":
			committed = s.Value
		}
	}
	if committed == "" {
		return nil, fmt.Errorf("%s names no commit: build it in a clone of the repository"+
			" (a git worktree is none to the go command)", path)
	}
	if p.built, err = time.Parse(time.RFC3339, committed); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

// debianVersion makes a version of Debian's of the module's: what comes before a
// release is less than it (deb-version(7)), and the dash is left for the revision.
func (p *program) debianVersion() string {
	version, metadata, dirty := strings.Cut(strings.TrimPrefix(p.Main.Version, "v"), "+")
	release, before, early := strings.Cut(version, "-")
	if early {
		release += "~" + strings.ReplaceAll(before, "-", ".")
	}
	if dirty {
		release += "+" + strings.ReplaceAll(metadata, "-", ".")
	}
	return release + "-1"
}

// debianChangelog has what is due in form (deb-changelog(5)). What has changed is
// in the changelog beside it.
func (p *program) debianChangelog(maintainer string) []byte {
	return fmt.Appendf(nil, "xtokend (%s) unstable; urgency=medium\n\n  * What has changed is in changelog.gz.\n\n -- %s  %s\n",
		p.debianVersion(), maintainer, p.built.UTC().Format(time.RFC1123Z))
}

// stamp puts the version and the day of the commit into a manual page.
func (p *program) stamp(page []byte) []byte {
	page = bytes.ReplaceAll(page, []byte("@VERSION@"), []byte(strings.TrimPrefix(p.Main.Version, "v")))
	return bytes.ReplaceAll(page, []byte("@DATE@"), []byte(p.built.UTC().Format(time.DateOnly)))
}

// packagedUnit has the program where packages put theirs.
func packagedUnit(unit []byte) []byte {
	return bytes.ReplaceAll(unit, []byte("/usr/local/bin/xtokend"), []byte("/usr/bin/xtokend"))
}
