package bosh

import "slices"

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
	q.bytes -= len(u)
	return u
}

func (q *queue) takeAll() [][]byte {
	units := q.units
	*q = queue{}
	return units
}

// fits says whether n more bytes may be queued under a limit that only what is
// alone may exceed.
func (q *queue) fits(n, limit int) bool { return q.bytes == 0 || q.bytes+n <= limit }

func size(units [][]byte) int {
	n := 0
	for _, u := range units {
		n += len(u)
	}
	return n
}
