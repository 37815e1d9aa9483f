package demo

import (
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// ErrNoConverse is returned for a folder that does not hold the npm package
// converse.js.
var ErrNoConverse = errors.New("converse.js is not there")

// OpenConverse returns the files for browsers of the npm package converse.js that
// lies in folder. It never leads out of them. It returns [ErrNoConverse] if the
// folder does not hold the package as it comes from npm.
func OpenConverse(folder string) (fs.FS, error) {
	root, err := os.OpenRoot(filepath.Join(folder, "dist"))
	if err != nil {
		return nil, ErrNoConverse
	}
	files := root.FS()
	for _, needed := range []string{"converse.min.js", "converse.min.css"} {
		if info, err := fs.Stat(files, needed); err != nil || !info.Mode().IsRegular() {
			return nil, ErrNoConverse
		}
	}
	return files, nil
}

// files serves regular files, and no lists of them. What cannot be opened is not
// there, and what begins with a dot is not for browsers.
func files(f fs.FS) http.Handler {
	server := http.FileServerFS(f)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, "/")
		info, err := fs.Stat(f, name)
		if err != nil || !info.Mode().IsRegular() || strings.Contains("/"+name, "/.") {
			http.NotFound(w, r)
			return
		}
		// A browser asks again each time, and is told that nothing has changed.
		w.Header().Set("Cache-Control", "no-cache")
		server.ServeHTTP(w, r)
	})
}
