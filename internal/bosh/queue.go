package bosh

import "slices"

// UnitOverhead is what a unit counts beside its own bytes wherever bytes are
// bounded: about what Go needs to keep it, which is more than short ones have.
const UnitOverhead = 64

// queue holds units of one direction in order.
type queue struct {
	units [][]byte
	bytes int
}

func (q *queue) push(units ...[]byte) {
	q.units = append(q.units, units...)
	q.bytes += size(units)
}

func (q *queue) unshift(units ...[]byte) {
	q.units = slices.Insert(q.units, 0, units...)
	q.bytes += size(units)
}

func (q *queue) pop() []byte {
	u := q.units[0]
	q.units[0] = nil
	q.units = q.units[1:]
	q.bytes -= UnitOverhead + len(u)
	return u
}

// take takes units of at most that many bytes, but one at least if there is one.
func (q *queue) take(bytes int) [][]byte {
	n, size := 0, 0
	for n < len(q.units) && (n == 0 || size+UnitOverhead+len(q.units[n]) <= bytes) {
		size += UnitOverhead + len(q.units[n])
		n++
	}
	if n == len(q.units) {
		return q.takeAll()
	}
	units := slices.Clone(q.units[:n])
	clear(q.units[:n])
	q.units = q.units[n:]
	q.bytes -= size
	return units
}

func (q *queue) takeAll() [][]byte {
	units := q.units
	*q = queue{}
	return units
}

// fits says whether n more bytes may be queued under a limit that only what is
// alone may exceed.
func (q *queue) fits(n, limit int) bool { return q.bytes == 0 || q.bytes+n <= limit }

// size is what units count.
func size(units [][]byte) int {
	n := 0
	for _, u := range units {
		n += UnitOverhead + len(u)
	}
	return n
}
