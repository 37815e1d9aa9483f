package web

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// hosts are the names that requests may call the server by, in their normal
// form; nil: any. A page whose name is made to lead here (DNS rebinding) has the
// same origin as we then, but calls us by that name.
type hosts map[string]bool

func newHosts(list []string) (hosts, error) {
	if len(list) == 0 {
		return nil, nil
	}
	h := make(hosts, len(list))
	for _, name := range list {
		normal, err := normalHost(name)
		if err != nil {
			return nil, fmt.Errorf("web: host %q %w", name, err)
		}
		h[normal] = true
	}
	return h, nil
}

// take reports whether r calls the server by one of its names, with any port: it
// may have come through a forwarded one.
func (h hosts) take(r *http.Request) bool {
	if h == nil {
		return true
	}
	u, err := url.Parse("//" + r.Host)
	if err != nil || u.Host != r.Host {
		return false
	}
	name, err := normalHost(u.Hostname())
	return err == nil && h[name]
}

func (h hosts) String() string { return strings.Join(slices.Sorted(maps.Keys(h)), ", ") }
