package doctor

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode"
)

// Level says how bad a finding is.
type Level string

const (
	OK      Level = "ok"      // as it should be
	Skipped Level = "skipped" // could not be looked at, and why
	Warning Level = "warning" // it works, and should not stay as it is
	Error   Level = "error"   // users cannot log in, or some cannot
)

// Topic is what a finding is about.
type Topic string

const (
	TopicSettings    Topic = "settings"
	TopicPorts       Topic = "ports"
	TopicServer      Topic = "server"
	TopicLink        Topic = "link"
	TopicAccounts    Topic = "accounts"
	TopicReplay      Topic = "replay"
	TopicLogin       Topic = "login"
	TopicTime        Topic = "time"
	TopicCertificate Topic = "certificate"
	TopicDNS         Topic = "dns"
	TopicHostMeta    Topic = "host-meta"
)

// Finding is one thing that was looked at. Text and Hint are for people.
type Finding struct {
	Level  Level  `json:"level"`
	Topic  Topic  `json:"topic"`
	Domain string `json:"domain,omitempty"` // "": it concerns all
	Text   string `json:"text"`
	Hint   string `json:"hint,omitempty"` // what to do; never empty with Warning and Error
}

// report gathers findings. Its methods may be called from any goroutine.
type report struct {
	mu       sync.Mutex
	findings []Finding
}

func (r *report) add(f Finding) {
	f.Text, f.Hint = printable(f.Text), printable(f.Hint) // they may quote a peer
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Contains(r.findings, f) { // each transport meets the same trouble
		r.findings = append(r.findings, f)
	}
}

// maxTextRunes bounds a text; nothing of our own is as long.
const maxTextRunes = 1000

// printable keeps what a peer says from doing anything to a terminal.
func printable(text string) string {
	runes := []rune(strings.ToValidUTF8(text, "?"))
	runes = runes[:min(len(runes), maxTextRunes)]
	for i, r := range runes {
		if !unicode.IsPrint(r) {
			runes[i] = '?'
		}
	}
	return string(runes)
}

// about is a report on one topic of one domain.
type about struct {
	*report
	topic  Topic
	domain string
}

func (a about) ok(format string, args ...any) {
	a.add(Finding{OK, a.topic, a.domain, fmt.Sprintf(format, args...), ""})
}

func (a about) skip(format string, args ...any) {
	a.add(Finding{Skipped, a.topic, a.domain, fmt.Sprintf(format, args...), ""})
}

func (a about) warn(hint, format string, args ...any) {
	a.add(Finding{Warning, a.topic, a.domain, fmt.Sprintf(format, args...), hint})
}

func (a about) fail(hint, format string, args ...any) {
	a.add(Finding{Error, a.topic, a.domain, fmt.Sprintf(format, args...), hint})
}
