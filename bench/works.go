package main

import (
	"slices"
	"strconv"
	"time"
)

// work is what clients do with each of some subjects, in turn.
type work struct {
	name      string // "login tcp": the rows that need it begin with it
	mode      string // of the load generator
	transport string
	flags     []string // of the load generator
	subjects  []subject
	users     int  // so many of them need accounts
	once      bool // in one round only
	// do makes the runs, each under the name of its part; nil: one, without a name.
	do func(*stage) error
}

const (
	loginWorkers = 8
	relayPairs   = 4
	relayWindow  = 32
	idleRate     = 500 // sessions a second
	idleHold     = 15 * time.Second
	idleBefore   = 500 // sessions
	agingLogins  = 30 * time.Second
	agingRelays  = 3 // before and after
	maxUsers     = 2000
)

func allWorks(o options) []work {
	every := []subject{hostSubject, memorySubject, floorSubject, plainSubject, frontSubject, haproxySubject, directSubject}
	if o.modules != "" {
		every = append(every, modulesSubject, stockSubject)
	}
	relayed := []subject{frontSubject, haproxySubject, directSubject}
	return slices.Concat(
		[]work{
			login("tcp", loginWorkers, every),
			login("starttls", loginWorkers, []subject{hostSubject, frontSubject, directSubject}),
			login("tls", loginWorkers, every),
			login("ws", loginWorkers, every),
			login("bosh", loginWorkers, []subject{hostSubject, frontSubject, haproxySubject, directSubject}),
			login("tcp", 32, []subject{hostSubject, memorySubject, frontSubject, directSubject}),
			relay("tcp", relayPairs, relayWindow, relayed),
			relay("tcp", 1, 1, relayed),
			relay("ws", relayPairs, relayWindow, relayed),
			relay("ws", 1, 1, relayed),
		},
		idleWorks(o.idle),
		[]work{
			aging([]subject{frontSubject, hostSubject}),
			storm(o.storm, []subject{frontSubject, hostSubject}),
		})
}

func login(transport string, workers int, subjects []subject) work {
	name := "login " + transport
	if workers != loginWorkers {
		name += " " + strconv.Itoa(workers)
	}
	return work{name: name, mode: "login", transport: transport, subjects: subjects, users: workers,
		flags: []string{"-workers", strconv.Itoa(workers)}}
}

func relay(transport string, pairs, window int, subjects []subject) work {
	name := "relay " + transport
	if window == 1 {
		name += " ping-pong"
	}
	return work{name: name, mode: "relay", transport: transport, subjects: subjects, users: 2 * pairs,
		flags: relayFlags(pairs, window)}
}

func relayFlags(pairs, window int) []string {
	return []string{"-workers", strconv.Itoa(pairs), "-window", strconv.Itoa(window)}
}

func idleWorks(n int) (works []work) {
	for _, transport := range []string{"tcp", "tls", "ws"} {
		works = append(works, work{name: "idle " + transport, mode: "idle", transport: transport, once: true,
			subjects: []subject{frontSubject, directSubject, hostSubject}, users: min(n, maxUsers),
			flags: []string{"-n", strconv.Itoa(n), "-users", strconv.Itoa(maxUsers),
				"-rate", strconv.Itoa(idleRate), "-hold", idleHold.String(), "-before", strconv.Itoa(idleBefore)}})
	}
	return works
}

// aging is messages before and after many logins to the same process. What is behind
// xtokend is fresh for both.
func aging(subjects []subject) work {
	return work{name: "ageing", transport: "tcp", subjects: subjects, users: 2 * relayPairs, once: true,
		do: func(s *stage) error {
			relays := func(part string) error {
				for range agingRelays {
					if err := s.run(part, "relay", relayFlags(relayPairs, relayWindow)...); err != nil {
						return err
					}
				}
				return nil
			}
			if err := relays("before"); err != nil {
				return err
			}
			logins := []string{"-workers", strconv.Itoa(loginWorkers), "-duration", agingLogins.String()}
			if err := s.run("logins", "login", logins...); err != nil {
				return err
			}
			if err := s.renewServer(); err != nil {
				return err
			}
			return relays("after")
		}}
}

// storm is many clients at once, for the first time and when their keys for the server
// are known.
func storm(n int, subjects []subject) work {
	return work{name: "storm", transport: "tcp", subjects: subjects, users: min(n, maxUsers), once: true,
		do: func(s *stage) error {
			for _, part := range []string{"first", "again"} {
				err := s.run(part, "storm", "-n", strconv.Itoa(n), "-users", strconv.Itoa(maxUsers), "-timeout", "2m")
				if err != nil {
					return err
				}
			}
			return nil
		}}
}

// neededWorks are those, with the subjects, that rows need.
func neededWorks(works []work, rows []row) []work {
	var needed []work
	for _, w := range works {
		w.subjects = slices.DeleteFunc(slices.Clone(w.subjects), func(s subject) bool {
			return !slices.ContainsFunc(rows, func(r row) bool { return r.needs(w.name, s) })
		})
		if len(w.subjects) > 0 {
			needed = append(needed, w)
		}
	}
	return needed
}

// usersOf is how many accounts all works need.
func usersOf(works []work) int {
	users := 0
	for _, w := range works {
		users = max(users, w.users)
	}
	return users
}
