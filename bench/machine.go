package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// machine is what was measured on, and with.
type machine struct {
	CPU     string `json:"cpu"`
	Cores   int    `json:"cores"`
	Kernel  string `json:"kernel"`
	Go      string `json:"go"`
	Prosody string `json:"prosody"`
	HAProxy string `json:"haproxy"`
	Tree    string `json:"tree"` // of the source: what git describes it as
}

// absent stands for the version of what is not installed.
const absent = "not installed"

func describeMachine(ctx context.Context) machine {
	return machine{
		CPU:     cpuModel(),
		Cores:   runtime.NumCPU(),
		Kernel:  kernel(),
		Go:      runtime.Version(),
		Prosody: prosodyVersion(ctx),
		HAProxy: firstLine(ctx, program("haproxy"), "-v"),
		Tree:    firstLine(ctx, "git", "describe", "--always", "--dirty"),
	}
}

func cpuModel() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(info)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

func kernel() string {
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "unknown"
	}
	return "Linux " + strings.TrimSpace(string(release))
}

// prosodyVersion reads it from Prosody's own files: no command tells it without starting
// or asking a server.
func prosodyVersion(ctx context.Context) string {
	if _, err := exec.LookPath("prosody"); err != nil {
		return absent
	}
	for _, file := range []string{"/usr/lib/prosody/prosody.version", "/usr/local/lib/prosody/prosody.version"} {
		if version, err := os.ReadFile(file); err == nil {
			return "Prosody " + strings.TrimSpace(string(version))
		}
	}
	return firstLine(ctx, "dpkg-query", "--show", "prosody")
}

// firstLine is the first line that a command writes.
func firstLine(ctx context.Context, name string, args ...string) string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).Output()
	if err != nil {
		return absent
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimSpace(line)
}

// program is the path of a command that may be in an administrator's folder.
func program(name string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	path, err := exec.LookPath(filepath.Join("/usr/sbin", name))
	if err != nil {
		return name
	}
	return path
}

// raiseDescriptorLimit gives the servers as many files as this process may have at most:
// the usual 1024 are too few for what is measured.
func raiseDescriptorLimit() error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	limit.Cur = limit.Max
	return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
}
