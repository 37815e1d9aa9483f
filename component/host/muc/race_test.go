package muc_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"xtokend/component/host/muc"
)

// TestManyAtOnce has users come, talk and go at the same time.
func TestManyAtOnce(t *testing.T) {
	r := newRig(t, muc.Limits{})
	r.in("room")
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			user := fmt.Sprintf("user%d", i)
			for range 20 {
				r.say(user+"@example.org/desk", fmt.Sprintf(join, "room", user))
				r.say(user+"@example.org/desk", "<message type='groupchat' to='room@rooms.example.org'><body>hi</body></message>")
				r.say(user+"@example.org/desk", "<iq type='get' id='v' to='room@rooms.example.org/al'><vCard xmlns='vcard-temp'/></iq>")
				r.say(user+"@example.org/desk", "<presence type='unavailable' to='room@rooms.example.org/"+user+"'/>")
			}
		})
	}
	all.Wait()
	var heard, left int
	for _, line := range r.take() {
		if strings.HasPrefix(line, "alice/desk< message room/user") {
			heard++
		}
		if strings.HasPrefix(line, "alice/desk< presence") && strings.Contains(line, " unavailable ") {
			left++
		}
	}
	if heard != 160 || left != 160 {
		t.Errorf("alice heard %d messages and saw %d leave", heard, left)
	}
}
