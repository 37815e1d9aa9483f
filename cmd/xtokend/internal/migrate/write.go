package migrate

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
)

const (
	backupSuffix = ".before-xtokend"
	settingsMode = 0o640 // of new files: the folder's group may read them
)

// Diff returns the changes of all files as a unified diff, with a mark in the place
// of each secret that xtokend knows of: it is to be read, not to be applied.
func (p *Plan) Diff() string {
	var b strings.Builder
	for _, f := range append(p.Own[:len(p.Own):len(p.Own)], p.Prosody...) {
		if f.Secret {
			fmt.Fprintf(&b, "%s: a secret, not shown\n", f.Path)
			continue
		}
		before, after := p.hide(f.Before), p.hide(f.After)
		b.Write(bytes.TrimPrefix(diff.Diff(f.Path, []byte(before), f.Path, []byte(after)), fmt.Appendf(nil, "diff %s %s\n", f.Path, f.Path)))
	}
	return b.String()
}

func (p *Plan) hide(text string) string {
	// A secret that holds another one is hidden as a whole.
	longestFirst := slices.SortedFunc(slices.Values(p.secrets), func(a, b string) int { return len(b) - len(a) })
	for _, secret := range longestFirst {
		text = strings.ReplaceAll(text, secret, "[secret]")
	}
	return text
}

// Write makes all changes. Each file is replaced in one step, and stays beside the
// new one under the name that is returned for it; Prosody's come last, so that
// nothing names a file that is not there yet.
func (p *Plan) Write() (backups []string, err error) {
	for _, f := range append(p.Own[:len(p.Own):len(p.Own)], p.Prosody...) {
		if f.Before == f.After {
			continue
		}
		backup, err := f.write()
		if err != nil {
			return backups, fmt.Errorf("%s: %w", f.Path, withoutPath(err))
		}
		if backup != "" {
			backups = append(backups, backup)
		}
	}
	return backups, nil
}

var errChanged = errors.New("it has been changed in the meantime: nothing was written to it, try again")

// write replaces one file, what a symbolic link leads to if it is one.
func (f *File) write() (backup string, err error) {
	path, err := filepath.EvalSymlinks(f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		path = f.Path
	} else if err != nil {
		return "", err
	}
	now, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if string(now) != f.Before {
		return "", errChanged
	}
	if err == nil {
		if backup, err = keep(path, now); err != nil {
			return "", err
		}
	}
	return backup, replace(path, []byte(f.After), path)
}

// keep copies a file to a name that is free.
func keep(path string, text []byte) (string, error) {
	backup := path + backupSuffix
	for i := 2; ; i++ {
		if _, err := os.Lstat(backup); errors.Is(err, fs.ErrNotExist) {
			return backup, replace(backup, text, path)
		} else if err != nil {
			return "", err
		}
		backup = fmt.Sprintf("%s%s.%d", path, backupSuffix, i)
	}
}

// replace puts a whole file in the place of what is at path, with the owner and the
// mode of the file like; of the folder, if there is no such file.
func replace(path string, text []byte, like string) error {
	folder := filepath.Dir(path)
	info, err := os.Stat(like)
	mode := fs.FileMode(settingsMode)
	if err == nil {
		mode = info.Mode().Perm()
	} else if info, err = os.Stat(folder); err != nil {
		return err
	}
	temporary, err := os.CreateTemp(folder, "."+filepath.Base(path)+".")
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name()) // it is gone if all went well
	_, err = temporary.Write(text)
	err = errors.Join(err, giveTo(temporary, info), temporary.Chmod(mode), temporary.Sync(), temporary.Close())
	if err != nil {
		return err
	}
	return os.Rename(temporary.Name(), path)
}

// withoutPath returns the cause of an error alone; its reader knows the path.
func withoutPath(err error) error {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err
	}
	return err
}
