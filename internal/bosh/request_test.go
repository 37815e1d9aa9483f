package bosh_test

import (
	"encoding/xml"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"xtokend/internal/bosh"
)

const key = "ca393b51b682f61f98e7877d61146407f3d0a770" // XEP-0124 §15.3

func TestParseRequest(t *testing.T) {
	with := func(set func(*bosh.Request)) bosh.Request {
		r := bosh.Request{RID: 1573741820, Wait: -1, Hold: -1, XMPPVersion: "1.0"}
		set(&r)
		return r
	}
	for _, c := range []struct {
		name  string
		attrs string // name=value, with '|' between them; a rid is put before
		want  bosh.Request
	}{
		{"a rid alone", "", with(func(*bosh.Request) {})},
		{"session creation", "to=example.com|ver=1.6|wait=60|hold=1|ack=1|xml:lang=en|content=text/xml; charset=utf-8|from=user@example.com|xmpp:version=1.0|route=xmpp:example.com:9999",
			with(func(r *bosh.Request) {
				r.To, r.From, r.Lang, r.Content = "example.com", "user@example.com", "en", "text/xml; charset=utf-8"
				r.Ver, r.Wait, r.Hold, r.Ack = &bosh.Version{Major: 1, Minor: 6}, time.Minute, 1, 1
			})},
		{"another stream version", "xmpp:version=0.9", with(func(r *bosh.Request) { r.XMPPVersion = "0.9" })},
		{"a version in no namespace is none", "version=0.9", with(func(*bosh.Request) {})},
		{"polling", "wait=0|hold=0", with(func(r *bosh.Request) { r.Wait, r.Hold = 0, 0 })},
		{"highest values", "wait=65535|hold=255|pause=65535|ack=9007199254740991", with(func(r *bosh.Request) {
			r.Wait, r.Hold, r.Pause, r.Ack = 65535*time.Second, 255, 65535*time.Second, 1<<53-1
		})},
		{"keys", "key=" + key + "|newkey=" + strings.ToUpper(key), with(func(r *bosh.Request) { r.Key, r.NewKey = key, strings.ToUpper(key) })},
		{"restart", "sid=SID|xmpp:restart=true|to=example.com", with(func(r *bosh.Request) { r.SID, r.Restart, r.To = "SID", true, "example.com" })},
		{"restart as a number", "xmpp:restart=1", with(func(r *bosh.Request) { r.Restart = true })},
		{"no restart", "xmpp:restart=0", with(func(*bosh.Request) {})},
		{"a restart in no namespace is none", "restart=true", with(func(*bosh.Request) {})},
		{"terminate", "type=terminate", with(func(r *bosh.Request) { r.Terminate = true })},
		{"an error of ours", "type=error", with(func(*bosh.Request) {})},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := bosh.ParseRequest(attributes("rid=1573741820|" + c.attrs))
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %+v, %v, want %+v", got, err, c.want)
			}
		})
	}
}

func TestParseRequestRefuses(t *testing.T) {
	for _, c := range []struct{ name, attrs string }{
		{"no rid", ""},
		{"an empty rid", "rid="},
		{"rid 0", "rid=0"},
		{"rid with a sign", "rid=+1"},
		{"negative rid", "rid=-1"},
		{"rid with a leading zero", "rid=01"},
		{"rid with space", "rid= 1"},
		{"rid with a fraction", "rid=1.0"},
		{"rid in hexadecimal", "rid=0x1"},
		{"rid in other digits", "rid=١"},
		{"rid above 2^53-1", "rid=9007199254740992"},
		{"rid above 2^64", "rid=18446744073709551617"},
		{"no sid in it", "rid=1|sid="},
		{"ack 0", "rid=1|ack=0"},
		{"ack is no number", "rid=1|ack=x"},
		{"pause 0", "rid=1|pause=0"},
		{"pause too long for the schema", "rid=1|pause=65536"},
		{"wait too long for the schema", "rid=1|wait=65536"},
		{"negative wait", "rid=1|wait=-1"},
		{"hold too high for the schema", "rid=1|hold=256"},
		{"version without a point", "rid=1|ver=1"},
		{"version with two points", "rid=1|ver=1.6.1"},
		{"key too long", "rid=1|key=" + key + "0"},
		{"an empty key", "rid=1|key="},
		{"newkey is no hash", "rid=1|newkey=abc"},
		{"newkey is not hexadecimal", "rid=1|newkey=" + strings.Repeat("x", 40)},
		{"unknown type", "rid=1|type=result"},
		{"restart is no boolean", "rid=1|xmpp:restart=yes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if r, err := bosh.ParseRequest(attributes(c.attrs)); !errors.Is(err, bosh.ErrBadRequest) {
				t.Errorf("got %+v, %v", r, err)
			}
		})
	}
}

// A request that is refused names its session all the same.
func TestParseRequestKeepsTheSID(t *testing.T) {
	r, err := bosh.ParseRequest(attributes("rid=x|sid=SID"))
	if err == nil || r.SID != "SID" {
		t.Errorf("got %+v, %v", r, err)
	}
}

func attributes(text string) []xml.Attr {
	spaces := map[string]string{"xml": "http://www.w3.org/XML/1998/namespace", "xmpp": "urn:xmpp:xbosh"}
	var attrs []xml.Attr
	for part := range strings.SplitSeq(text, "|") {
		name, value, ok := strings.Cut(part, "=")
		if !ok {
			continue
		}
		prefix, local, ok := strings.Cut(name, ":")
		if !ok {
			prefix, local = "", name
		}
		attrs = append(attrs, xml.Attr{Name: xml.Name{Space: spaces[prefix], Local: local}, Value: value})
	}
	return attrs
}
