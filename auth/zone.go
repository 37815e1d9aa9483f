package auth

import (
	"slices"
	"time"
)

// An issuer that gives pyotp a naive UTC time makes tokens of the step at which a clock in its zone shows what a clock
// in Greenwich shows now: mktime reads the UTC wall clock as local time. A zone ahead of UTC puts such steps behind.

// readings calls visit with each instant at which the clocks of zone show the wall-clock time that UTC shows at unix. In
// an hour that exists twice there are two. In one that is skipped there is none; then it is read with the offset before
// the gap and with the one behind it, since C libraries differ.
func readings(zone *time.Location, unix int64, visit func(unix int64)) {
	// No zone is further from UTC than 26 hours and none keeps an offset for less than 13, so these instants see every
	// offset that a reading can have. (Time.ZoneBounds is of no use: for years to come it makes up bounds.)
	const apart, reach = 13 * 3600, 26 * 3600
	var seen [2*reach/apart + 1]int64
	offsets := seen[:0]
	found := false
	for at := unix - reach; at <= unix+reach; at += apart {
		offset := offsetAt(zone, at)
		if slices.Contains(offsets, offset) {
			continue
		}
		offsets = append(offsets, offset)
		if offsetAt(zone, unix-offset) == offset {
			visit(unix - offset)
			found = true
		}
	}
	if found {
		return
	}
	for _, offset := range offsets {
		visit(unix - offset)
	}
}

// offsetAt returns the seconds that the clocks of zone are ahead of UTC.
func offsetAt(zone *time.Location, unix int64) int64 {
	_, offset := time.Unix(unix, 0).In(zone).Zone()
	return int64(offset)
}

// furthestAhead returns the largest number of seconds that the clocks of zone have been or will be ahead of UTC in this
// century, and 0 if they never are. The range is fixed, so that what depends on it does not follow the clock. No zone
// changes its offset for less than a day.
func furthestAhead(zone *time.Location) int64 {
	var furthest int64
	until := time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
	for at := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC); at.Before(until); at = at.AddDate(0, 0, 1) {
		furthest = max(furthest, offsetAt(zone, at.Unix()))
	}
	return furthest
}
