package link

import (
	"context"
	"runtime/debug"
	"slices"
	"time"

	"golang.org/x/time/rate"
	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"
)

const (
	// Forms that are given out and not filled in: one more of an admin takes the
	// place of that admin's oldest, one more in all is refused.
	maxStagesPerAdmin = 5
	maxStages         = 100

	// stageTimeout is how long a form may be filled in.
	stageTimeout = 10 * time.Minute

	// maxRunning bounds the commands that run at a time, and commandTimeout each
	// of them.
	maxRunning     = 4
	commandTimeout = 10 * time.Second
)

// admin is what is kept of an admin, who may have several clients.
type admin struct {
	answers *rate.Limiter
	stages  []stage // the oldest first
}

// stage is a command session whose form waits to be filled in (XEP-0050 §2.4.2).
// Nobody but the client that was given its id can go on with it.
type stage struct {
	id   string
	by   jid.JID // full
	node string
	ends time.Time
}

// command takes one step of a command.
func (s *session) command(q question, admin *admin, p *payload) {
	f, c := s.face, commandOf(p.Node)
	switch {
	case admin == nil:
		s.refuse(q, forbidden())
	case !q.set:
		s.refuse(q, refusal(stanza.Modify, stanza.BadRequest, ""))
	case c == nil:
		s.refuse(q, refusal(stanza.Cancel, stanza.ItemNotFound, ""))
	case !slices.Contains([]string{"", "execute", "next", "prev", "complete", "cancel"}, p.Action):
		s.refuse(q, badRequest("malformed-action", ""))
	case p.SessionID != "":
		s.proceed(q, c, admin, p)
	case p.Action != "" && p.Action != "execute":
		s.refuse(q, badRequest("bad-action", "a command begins with the action execute"))
	case c.form == nil:
		s.run(q, c, "", nil)
	case len(p.Forms) > 0: // all in one stage
		users, fault := f.users(p.Forms)
		if fault != "" {
			s.refuse(q, badRequest("bad-payload", fault))
			return
		}
		s.run(q, c, "", users)
	default:
		id, ok := f.open(admin, q.from, c.node)
		if !ok {
			s.refuse(q, refusal(stanza.Wait, stanza.ResourceConstraint, "too many commands wait for their form"))
			return
		}
		s.answer(q, command{Node: c.node, SessionID: id, Status: "executing", Actions: &actions{Execute: "complete", Complete: new(struct{})}, Form: c.form})
	}
}

// proceed goes on with a command session.
func (s *session) proceed(q question, c *adminCommand, a *admin, p *payload) {
	i := slices.IndexFunc(a.stages, func(st stage) bool {
		return st.id == p.SessionID && st.by.Equal(q.from) && st.node == c.node
	})
	switch {
	case i < 0:
		s.refuse(q, badRequest("bad-sessionid", ""))
	case !s.face.now().Before(a.stages[i].ends):
		a.stages = slices.Delete(a.stages, i, i+1)
		s.refuse(q, commandError(stanza.Cancel, stanza.NotAllowed, "session-expired", "the form has waited for too long; begin anew"))
	case p.Action == "cancel":
		a.stages = slices.Delete(a.stages, i, i+1)
		s.answer(q, command{Node: c.node, SessionID: p.SessionID, Status: "canceled"})
	case p.Action == "next" || p.Action == "prev":
		s.refuse(q, badRequest("bad-action", "there is one form, which completes the command"))
	default:
		users, fault := s.face.users(p.Forms)
		if fault != "" { // the form may be sent again
			s.refuse(q, badRequest("bad-payload", fault))
			return
		}
		a.stages = slices.Delete(a.stages, i, i+1)
		s.run(q, c, p.SessionID, users)
	}
}

// open begins a command session, if there is room for it.
func (f *face) open(a *admin, by jid.JID, node string) (id string, ok bool) {
	now, all := f.now(), 0
	for _, other := range f.admins {
		other.stages = slices.DeleteFunc(other.stages, func(s stage) bool { return !now.Before(s.ends) })
		all += len(other.stages)
	}
	if len(a.stages) >= maxStagesPerAdmin {
		a.stages = slices.Delete(a.stages, 0, 1)
	} else if all >= maxStages {
		return "", false
	}
	a.stages = append(a.stages, stage{id: newID(), by: by, node: node, ends: now.Add(stageTimeout)})
	return a.stages[len(a.stages)-1].id, true
}

// run completes a command in a goroutine of its own: a command may wait for the
// replay store, while answers to our own requests come in.
func (s *session) run(q question, c *adminCommand, id string, users []jid.JID) {
	f := s.face
	select {
	case f.running <- struct{}{}:
	default:
		s.refuse(q, refusal(stanza.Wait, stanza.ResourceConstraint, "too many commands run; try again"))
		return
	}
	s.commands.Go(func() {
		defer func() {
			<-f.running
			if p := recover(); p != nil {
				f.log.Error("component link: panic", "panic", p, "stack", string(debug.Stack()))
				s.refuse(q, refusal(stanza.Cancel, stanza.InternalServerError, ""))
			}
		}()
		ctx, cancel := context.WithTimeout(s.ctx, commandTimeout)
		defer cancel()
		done := c.run(ctx, f, q.from, users)
		done.Node, done.SessionID, done.Status = c.node, id, "completed"
		s.answer(q, done)
	})
}
