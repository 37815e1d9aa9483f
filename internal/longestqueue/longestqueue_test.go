package longestqueue_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"xtokend/internal/longestqueue"
)

func TestWhoMakesRoom(t *testing.T) {
	for _, c := range []struct {
		name   string
		pushed string // holders, in order of arrival
		want   string // holders in the order in which they make room
	}{
		{"nobody", "", ""},
		{"one holder", "aaa", "aaa"},
		{"all alike: the oldest", "abc", "abc"},
		{"who holds most", "abbb", "bbab"},
		{"until all hold the same", "aabbbbc", "bbababc"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var s longestqueue.Set[rune, int]
			for i, holder := range c.pushed {
				s.Push(holder, i)
			}
			var got []rune
			last := map[rune]int{}
			for e := s.Victim(); e != nil; e = s.Victim() {
				holder := []rune(c.pushed)[e.Value]
				if before, ok := last[holder]; ok && before > e.Value {
					t.Errorf("%c's %d made room after its %d", holder, e.Value, before)
				}
				last[holder] = e.Value
				got = append(got, holder)
				s.Remove(e)
				s.Remove(e) // changes nothing
			}
			if string(got) != c.want {
				t.Errorf("they made room in the order %s, want %s", string(got), c.want)
			}
			if s.Len() != 0 {
				t.Errorf("%d are left", s.Len())
			}
		})
	}
}

// Whatever comes and goes, it agrees with looking at everything each time.
func TestAgainstAList(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	type entry = longestqueue.Entry[int, int]
	var s longestqueue.Set[int, int]
	holders := map[int]int{} // by value
	var all []*entry
	for i := range 20000 {
		switch random.IntN(5) {
		case 0, 1, 2:
			holder := min(random.IntN(40), random.IntN(40))
			holders[i] = holder
			all = append(all, s.Push(holder, i))
		case 3:
			if len(all) > 0 {
				at := random.IntN(len(all))
				s.Remove(all[at])
				all = slices.Delete(all, at, at+1)
			}
		case 4:
			got := s.Victim()
			if want := victim(all, holders); got != want {
				t.Fatalf("step %d: the wrong one has to make room", i)
			}
			if got != nil {
				s.Remove(got)
				all = slices.DeleteFunc(all, func(e *entry) bool { return e == got })
			}
		}
		if s.Len() != len(all) {
			t.Fatalf("step %d: %d are held, want %d", i, s.Len(), len(all))
		}
		holder := random.IntN(40)
		mine := slices.IndexFunc(all, func(e *entry) bool { return holders[e.Value] == holder })
		if oldest := s.Oldest(holder); mine < 0 && oldest != nil || mine >= 0 && oldest != all[mine] {
			t.Fatalf("step %d: not the oldest of %d", i, holder)
		}
	}
}

func victim(all []*longestqueue.Entry[int, int], holders map[int]int) *longestqueue.Entry[int, int] {
	counts, most := map[int]int{}, 0
	for _, e := range all {
		counts[holders[e.Value]]++
		most = max(most, counts[holders[e.Value]])
	}
	for _, e := range all {
		if counts[holders[e.Value]] == most {
			return e
		}
	}
	return nil
}
