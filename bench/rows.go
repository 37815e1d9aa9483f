package main

import (
	"regexp"
	"slices"
)

// row is a line of the table: a comparison.
type row struct {
	name    string // of the work, a colon, and what is compared
	work    string
	against string
	unit    unit
	theirs  figure // its zero value: there is none
	ours    figure
	bound   bound
	// ofMedians divides the medians instead of each round's: differences of two
	// figures vary too much.
	ofMedians bool
}

// unit is that of a figure.
type unit string

const (
	milliseconds unit = "ms"
	perSeconds   unit = "/s"
	memoryBytes  unit = "B"
	allocations  unit = "allocations"
	timesHMAC    unit = "× HMAC"
	failed       unit = "errors"
)

// needs says whether a row wants this measured.
func (r row) needs(work string, s subject) bool {
	return slices.ContainsFunc(slices.Concat(r.theirs.keys, r.ours.keys), func(k key) bool {
		return k.Work == work && k.Subject == s
	})
}

func selectRows(rows []row, only *regexp.Regexp) []row {
	return slices.DeleteFunc(slices.Clone(rows), func(r row) bool { return !only.MatchString(r.name) })
}

func allRows(o options) []row {
	return slices.Concat(verifyRows(), hostRows(o), frontRows(), relayRows(), idleRows(), otherRows())
}

func verifyRows() []row {
	of := func(benchmark, metric string) figure {
		return figure{bench: benchmarkUnit{"xtokend/auth", benchmark, metric}}
	}
	verify := func(name, work, metric string, limit float64) row {
		return row{name: "verify: " + name, work: work, against: "one bare HMAC-SHA-256 of the same text", unit: timesHMAC,
			theirs: figure{constant: 1}, ours: of("BenchmarkVerifyRatio", metric), bound: ratioAtMost(limit), ofMedians: true}
	}
	return []row{
		verify("name prepared", "verify a good token, address prepared", "x-hmac", 2.5),
		{name: "verify: allocations", work: "allocations of that", against: "none", unit: allocations,
			ours: of("BenchmarkVerify", "allocs/op"), bound: valueAtMost(0)},
		verify("with name", "verify with the preparation of an ASCII name", "x-hmac-with-name", 4),
	}
}

// hostRows are logins to the built-in host. What it is compared with keeps nothing on disk,
// so the bounds are for the memory store; the file store, the default, has its own.
func hostRows(o options) (rows []row) {
	compare := func(transport string, ours, theirs subject, name, title string, b bound) row {
		work := "login " + transport
		return row{name: work + ": host, " + name, work: "login to the host, " + titles[transport] + title + ", server CPU",
			against: string(theirs), unit: milliseconds, bound: b,
			theirs: measured(work, "", theirs, cpu), ours: measured(work, "", ours, cpu)}
	}
	module := plainSubject
	if o.modules != "" {
		module = modulesSubject
	}
	const inMemory, inFile = ", memory store", ", file store"
	for _, c := range []struct {
		transport string
		b         bound
	}{{"tcp", ratioAtMost(0.25)}, {"tls", ratioAtMost(0.39)}, {"ws", ratioAtMost(0.25)}} {
		rows = append(rows,
			compare(c.transport, memorySubject, module, "Prosody", inMemory, c.b),
			compare(c.transport, hostSubject, module, "file store, Prosody", inFile, bound{}),
			compare(c.transport, memorySubject, floorSubject, "floor", inMemory, bound{}))
		if o.modules != "" {
			rows = append(rows, compare(c.transport, memorySubject, stockSubject, "Prosody not tuned", inMemory, bound{}),
				compare(c.transport, memorySubject, plainSubject, "Prosody PLAIN", inMemory, bound{}))
		}
	}
	for _, transport := range []string{"starttls", "bosh", "tcp 32"} {
		rows = append(rows, compare(transport, hostSubject, directSubject, "Prosody SCRAM", inFile, bound{}))
	}
	for _, transport := range []string{"tcp", "tcp 32"} {
		rows = append(rows, compare(transport, hostSubject, memorySubject, "file store", inFile, ratioAtMost(1.25)))
	}
	return rows
}

// titles are what tables call transports.
var titles = map[string]string{
	"tcp": "TCP", "starttls": "STARTTLS", "tls": "direct TLS", "ws": "WebSocket", "bosh": "BOSH",
	"tcp 32": "TCP, 32 at a time",
}

// frontRows are logins through the front to a server.
func frontRows() (rows []row) {
	for _, c := range []struct {
		transport string
		b         bound
	}{{"tcp", ratioAtMost(1)}, {"tls", ratioAtMost(1)}, {"ws", bound{}}, {"bosh", bound{}}} {
		work := "login " + c.transport
		against := "HAProxy, copying bytes"
		if c.transport == "tls" {
			against = "HAProxy, ending TLS"
		}
		rows = append(rows, row{name: work + ": front, CPU", work: "login through the front, " + titles[c.transport] + ", its own CPU",
			against: against, unit: milliseconds, bound: c.b,
			theirs: measured(work, "", haproxySubject, cpu), ours: measured(work, "", frontSubject, cpu)})
	}
	for _, transport := range []string{"tcp", "starttls", "tls", "ws", "bosh", "tcp 32"} {
		rows = append(rows, throughput("login "+transport, "logins through the front, "+titles[transport]))
	}
	return rows
}

func throughput(work, title string) row {
	return row{name: work + ": front, throughput", work: title, against: "the same Prosody direct, SCRAM", unit: perSeconds,
		bound: ratioAtLeast(0.95), theirs: measured(work, "", directSubject, perSecond), ours: measured(work, "", frontSubject, perSecond)}
}

// relayRows are messages through the front.
func relayRows() (rows []row) {
	for _, transport := range []string{"tcp", "ws"} {
		for _, kind := range []string{"", " ping-pong"} {
			work := "relay " + transport + kind
			title := titles[transport] + ", in a window"
			if kind != "" {
				title = titles[transport] + ", ping-pong"
			}
			rows = append(rows, row{name: work + ": front, CPU", work: "message through the front, " + title + ", its own CPU",
				against: "HAProxy", unit: milliseconds, bound: ratioAtMost(1),
				theirs: measured(work, "", haproxySubject, cpu), ours: measured(work, "", frontSubject, cpu)})
			if kind == "" {
				rows = append(rows, throughput(work, "messages through the front, "+title))
				continue
			}
			rows = append(rows, row{name: work + ": front, latency", work: "added one-way latency, " + title + ", p50",
				against: "HAProxy", unit: milliseconds, bound: ratioAtMost(1), ofMedians: true,
				theirs: added(work, haproxySubject, directSubject, p50), ours: added(work, frontSubject, directSubject, p50)})
		}
	}
	return rows
}

func idleRows() (rows []row) {
	for _, c := range []struct {
		transport string
		most      bound
	}{{"tcp", valueAtMost(12000)}, {"tls", bound{}}, {"ws", valueAtMost(24000)}} {
		work := "idle " + c.transport
		rows = append(rows,
			row{name: work + ": front", work: "memory of an idle session through the front, " + titles[c.transport],
				against: string(directSubject), unit: memoryBytes, bound: c.most,
				theirs: measured(work, "", directSubject, memory), ours: measured(work, "", frontSubject, memory)},
			row{name: work + ": host", work: "memory of an idle session of the host, " + titles[c.transport],
				against: string(directSubject), unit: memoryBytes,
				theirs: measured(work, "", directSubject, memory), ours: measured(work, "", hostSubject, memory)})
	}
	return rows
}

// otherRows are ageing and storms.
func otherRows() (rows []row) {
	for _, s := range []subject{frontSubject, hostSubject} {
		rows = append(rows, row{name: "ageing: " + string(s), work: "message after " + agingLogins.String() + " of logins, " + string(s) + ", its own CPU",
			against: "itself before", unit: milliseconds, bound: ratioAtMost(1.2), ofMedians: true,
			theirs: measured("ageing", "before", s, cpu), ours: measured("ageing", "after", s, cpu)})
	}
	for _, s := range []subject{frontSubject, hostSubject} {
		for _, part := range []string{"first", "again"} {
			rows = append(rows, row{name: "storm: " + string(s) + ", " + part, work: "a storm of logins, " + string(s) + ", " + part,
				against: "nobody", unit: failed, bound: valueAtMost(0), ours: measured("storm", part, s, errorCount)})
		}
	}
	return rows
}
