// Package longestqueue decides who makes room when there is too much: the
// oldest entry of whoever holds most, as routers do that drop from the longest
// queue. Many entries of one holder so cost that holder alone. While all hold
// the same, it is the oldest entry of all.
package longestqueue

import (
	"container/heap"
	"container/list"
)

// Set holds values in order of arrival, in a queue for each holder. The zero
// value is empty. Its methods need the caller's lock, and take O(log n).
type Set[K comparable, V any] struct {
	queues  map[K]*queue[K, V]
	longest heapOf[K, V]
	size    int
	arrived uint64
}

// Entry is the place of a value in a Set.
type Entry[K comparable, V any] struct {
	Value   V
	queue   *queue[K, V]
	element *list.Element // nil once removed
	arrival uint64
}

type queue[K comparable, V any] struct {
	holder  K
	entries list.List // of *Entry, oldest first
	index   int       // in the heap
}

// Push adds a value at the end of its holder's queue.
func (s *Set[K, V]) Push(holder K, value V) *Entry[K, V] {
	q := s.queues[holder]
	if q == nil {
		if s.queues == nil {
			s.queues = make(map[K]*queue[K, V])
		}
		q = &queue[K, V]{holder: holder}
		s.queues[holder] = q
		heap.Push(&s.longest, q)
	}
	s.arrived++
	s.size++
	e := &Entry[K, V]{Value: value, queue: q, arrival: s.arrived}
	e.element = q.entries.PushBack(e)
	heap.Fix(&s.longest, q.index)
	return e
}

// Remove takes an entry out. It may be called again, and with nil.
func (s *Set[K, V]) Remove(e *Entry[K, V]) {
	if e == nil || e.element == nil {
		return
	}
	q := e.queue
	q.entries.Remove(e.element)
	e.element = nil
	s.size--
	if q.entries.Len() == 0 {
		heap.Remove(&s.longest, q.index)
		delete(s.queues, q.holder)
		return
	}
	heap.Fix(&s.longest, q.index)
}

// Len is the number of values.
func (s *Set[K, V]) Len() int { return s.size }

// Of is the number of values of one holder.
func (s *Set[K, V]) Of(holder K) int {
	if q := s.queues[holder]; q != nil {
		return q.entries.Len()
	}
	return 0
}

// Oldest is a holder's oldest entry; nil if it has none.
func (s *Set[K, V]) Oldest(holder K) *Entry[K, V] {
	if q := s.queues[holder]; q != nil {
		return q.oldest()
	}
	return nil
}

// Victim is the entry to make room next; nil if there is none.
func (s *Set[K, V]) Victim() *Entry[K, V] {
	if len(s.longest) == 0 {
		return nil
	}
	return s.longest[0].oldest()
}

func (q *queue[K, V]) oldest() *Entry[K, V] {
	if front := q.entries.Front(); front != nil {
		return front.Value.(*Entry[K, V])
	}
	return nil
}

// heapOf has the longest queue first; of equally long ones that whose first
// entry is the oldest. It implements heap.Interface.
type heapOf[K comparable, V any] []*queue[K, V]

func (h heapOf[K, V]) Len() int { return len(h) }

func (h heapOf[K, V]) Less(i, j int) bool {
	a, b := h[i], h[j]
	if a.entries.Len() != b.entries.Len() {
		return a.entries.Len() > b.entries.Len()
	}
	first, second := a.oldest(), b.oldest()
	return first != nil && second != nil && first.arrival < second.arrival
}

func (h heapOf[K, V]) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *heapOf[K, V]) Push(q any) {
	q.(*queue[K, V]).index = len(*h)
	*h = append(*h, q.(*queue[K, V]))
}

func (h *heapOf[K, V]) Pop() any {
	last := len(*h) - 1
	q := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return q
}
