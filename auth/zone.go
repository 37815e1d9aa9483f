package auth

import "time"

// An issuer that gives pyotp a naive UTC time makes tokens of the step at which a clock in its zone shows what a clock
// in Greenwich shows now: mktime reads the UTC wall clock as local time. A zone ahead of UTC puts such steps behind.

// readings calls visit with each instant at which the clocks of zone show the wall-clock time that UTC shows at unix. In
// an hour that exists twice there are two. In one that is skipped there is none; then it is read with the offset before
// the gap and with the one behind, since C libraries differ.
func readings(zone *time.Location, unix int64, visit func(unix int64)) {
	// No zone is further from UTC than this, so the periods that matter start or end in between.
	const reach = 26 * 3600
	found := false
	var gapBefore, gapAfter int64
	at := time.Unix(unix-reach, 0).In(zone)
	_, previous := at.Zone()
	for first := true; ; first = false {
		start, end := at.ZoneBounds()
		_, offset := at.Zone()
		read := unix - int64(offset)
		begun := start.IsZero() || read >= start.Unix()
		if begun && (end.IsZero() || read < end.Unix()) {
			visit(read)
			found = true
		}
		if !first && !begun && unix-int64(previous) >= start.Unix() {
			gapBefore, gapAfter = unix-int64(previous), read
		}
		if end.IsZero() || end.Unix() > unix+reach {
			break
		}
		at, previous = end, offset
	}
	if !found {
		visit(gapBefore)
		visit(gapAfter)
	}
}

// offsets returns the smallest and the largest offset from UTC, in seconds, that zone has had or will have in this
// century. The range is fixed, so that the records that depend on it do not follow the clock.
func offsets(zone *time.Location) (lowest, highest int) {
	at := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).In(zone)
	until := time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
	_, lowest = at.Zone()
	highest = lowest
	for {
		_, end := at.ZoneBounds()
		if end.IsZero() || end.After(until) {
			return lowest, highest
		}
		at = end
		_, offset := at.Zone()
		lowest, highest = min(lowest, offset), max(highest, offset)
	}
}
