package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"mellium.im/xmpp/jid"

	"xtokend/cmd/xtokend/internal/config"
	"xtokend/component"
	"xtokend/component/link"
)

// linkOperations are what a domain's admins can have done by the ad-hoc commands of
// its component link.
type linkOperations struct {
	parts  *parts
	domain *config.Domain
}

// Status implements [link.Operations]. It tells an admin of one domain nothing of
// the others.
func (o *linkOperations) Status(context.Context) []link.Fact {
	var own []component.SessionInfo
	for _, s := range o.parts.front.Sessions() {
		if s.User.Domainpart() == o.domain.Name {
			own = append(own, s)
		}
	}
	return []link.Fact{
		fact("version", "Version", version()),
		fact("uptime", "Running for", time.Since(o.parts.started).Round(time.Second).String()),
		fact("domain", "Domain", o.domain.Name),
		fact("sessions", "Sessions at this node", fmt.Sprint(len(own))),
		{Var: "transports", Label: "Sessions by transport", Values: byTransport(own)},
		fact("upstream", "Server", string(o.parts.metrics.UpstreamState(o.domain.Name))),
		fact("link", "Component link", o.domain.Component.Name+": up"), // or nobody would hear this
		fact("store", "Replay store", string(o.parts.begun.Replay.Store)+": "+string(o.parts.metrics.StoreState())),
	}
}

// EndSessions implements [link.Operations].
func (o *linkOperations) EndSessions(user jid.JID) int { return o.parts.front.EndSessions(user) }

// Revoke implements [link.Operations].
func (o *linkOperations) Revoke(ctx context.Context, user jid.JID) (int, error) {
	return o.parts.front.Revoke(ctx, user)
}

func fact(name, label, value string) link.Fact {
	return link.Fact{Var: name, Label: label, Values: []string{value}}
}

// byTransport counts sessions, a line for each transport that there is.
func byTransport(sessions []component.SessionInfo) (lines []string) {
	counts := make(map[string]int)
	for _, s := range sessions {
		counts[s.Transport]++
	}
	for _, transport := range slices.Sorted(maps.Keys(counts)) {
		lines = append(lines, fmt.Sprintf("%s: %d", transport, counts[transport]))
	}
	return lines
}
