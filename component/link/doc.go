// Package link is a component's connection to a stock server (XEP-0114), the
// account commands of XEP-0133 over it, and what the component answers to others:
// discovery (XEP-0030), ping (XEP-0199), version (XEP-0092), and ad-hoc commands
// (XEP-0050) to the domain's admins.
//
// The component must be an administrator of the domain whose accounts it keeps:
// on Prosody by the domain's admins and the module admin_adhoc, on ejabberd by
// an access rule and mod_configure. [Link.Run] keeps the connection up; requests
// made while it is down fail at once with [ErrDown].
//
// Any user of the server can send stanzas to a component, results too. An answer
// therefore counts only with the request's own unguessable id and from the
// domain itself; a request is answered at a bounded rate, and only to who the
// server says has sent it.
package link
