package bosh

import (
	"bytes"
	"encoding/xml"
	"strconv"
	"time"
)

// maxTimeMS is the most that the schema allows in 'time'.
const maxTimeMS = 1<<16 - 1

// AppendBody appends the reply as a <body/> (XEP-0124 §6).
func (r *Reply) AppendBody(b []byte) []byte {
	b = append(b, "<body"...)
	text := func(name, value string) {
		if value != "" {
			b = append(append(append(b, ' '), name...), "='"...)
			b = append(escape(b, value), '\'')
		}
	}
	number := func(name string, n uint64) {
		b = append(append(append(b, ' '), name...), "='"...)
		b = append(strconv.AppendUint(b, n, 10), '\'')
	}
	seconds := func(name string, d time.Duration) { number(name, uint64(d/time.Second)) }
	text("type", r.Type)
	text("condition", string(r.Condition))
	if t := r.Terms; t != nil {
		text("sid", t.SID)
		seconds("wait", t.Wait)
		number("requests", uint64(t.Requests))
		text("ver", t.Ver.String())
		seconds("polling", t.Polling)
		seconds("inactivity", t.Inactivity)
		number("hold", uint64(t.Hold))
		seconds("maxpause", t.MaxPause)
	}
	if o := r.Opening; o != nil {
		text("from", o.From)
		text("authid", o.AuthID)
		b = append(b, " xmlns:xmpp='"+nsXBOSH+"' xmpp:version='1.0' xmpp:restartlogic='true'"...)
	}
	if r.Ack != 0 {
		number("ack", r.Ack)
	}
	if r.Report != 0 {
		number("report", r.Report)
		number("time", uint64(min(max(r.Time.Milliseconds(), 0), maxTimeMS)))
	}
	b = append(b, " xmlns='"+nsHTTPBind+"'"...)
	// XEP-0206 §2: the body declares the prefix of features and errors.
	for _, u := range r.Payload {
		if bytes.HasPrefix(u, []byte("<stream:")) {
			b = append(b, " xmlns:stream='"+nsStream+"'"...)
			break
		}
	}
	if len(r.Payload) == 0 {
		return append(b, "/>"...)
	}
	b = append(b, '>')
	for _, u := range r.Payload {
		b = append(b, u...)
	}
	return append(b, "</body>"...)
}

// escape appends s as it may stand in an attribute's value.
func escape(b []byte, s string) []byte {
	buf := bytes.NewBuffer(b)
	xml.EscapeText(buf, []byte(s)) // a Buffer takes every write
	return buf.Bytes()
}
