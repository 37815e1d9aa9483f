package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// cpuOf is the CPU time that a process has used, user and system, all of its threads, ended
// ones too: what /proc/PID/stat has in steps of 10 ms, in nanoseconds.
func cpuOf(pid int) (time.Duration, error) {
	// clock_getcpuclockid(3): the complement of the id, and CPUCLOCK_SCHED of the kernel.
	const sched = 2
	var used unix.Timespec
	if err := unix.ClockGettime(int32(^pid)<<3|sched, &used); err != nil {
		return 0, fmt.Errorf("CPU time of process %d: %w", pid, err)
	}
	return time.Duration(used.Nano()), nil
}

// residentOf is the resident set of a process, in bytes.
func residentOf(pid int) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kilobytes, err := strconv.ParseInt(strings.Fields(value)[0], 10, 64)
			return kilobytes << 10, err
		}
	}
	return 0, fmt.Errorf("process %d has no VmRSS", pid)
}

// tick is the unit of CPU time in /proc (USER_HZ, which is 100 on every port of Linux
// that Go runs on).
const tick = 10 * time.Millisecond

// machineCPU is the time that all cores have not been idle.
func machineCPU() (time.Duration, error) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(string(stat), "\n")
	return machineCPUOf(line)
}

// machineCPUOf reads the first line of proc_stat(5): user, nice, system, idle, iowait, irq,
// softirq, steal. What follows is counted in user.
func machineCPUOf(line string) (time.Duration, error) {
	fields := strings.Fields(line)
	if len(fields) < 9 {
		return 0, fmt.Errorf("/proc/stat: %q", line)
	}
	var sum int64
	for i, field := range fields[1:9] {
		if i == 3 || i == 4 {
			continue
		}
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("/proc/stat: %w", err)
		}
		sum += ticks
	}
	return time.Duration(sum) * tick, nil
}

// ownCPU is that of this process.
func ownCPU() (time.Duration, error) {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0, err
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()), nil
}
