package main

import (
	"io"
	"log/slog"

	"xtokend/cmd/xtokend/internal/config"
)

// newLogger also returns what changes the level later.
func newLogger(w io.Writer, l config.Log) (*slog.Logger, *slog.LevelVar) {
	level := new(slog.LevelVar)
	level.Set(l.Level)
	options := &slog.HandlerOptions{Level: level}
	if l.Format == config.LogJSON {
		return slog.New(slog.NewJSONHandler(w, options)), level
	}
	return slog.New(slog.NewTextHandler(w, options)), level
}
