package element

import "encoding/xml"

// fewEnough is up to how many names a search through all of them is quicker than
// a map. Beyond it there is a map, so that no peer's element takes quadratic time.
const fewEnough = 16

// scope holds the namespaces bound to prefixes, the innermost last; the default
// namespace has the empty prefix. Its zero value binds none.
type scope struct {
	bound []binding
	last  map[string]int // the last binding of each prefix; nil if there are few
}

type binding struct {
	prefix, ns string
	outer      int // the binding of the same prefix that this one hides, or -1
}

// find returns the innermost binding of prefix, or -1.
func (s *scope) find(prefix string) int {
	if s.last != nil {
		if i, ok := s.last[prefix]; ok {
			return i
		}
		return -1
	}
	for i := len(s.bound) - 1; i >= 0; i-- {
		if s.bound[i].prefix == prefix {
			return i
		}
	}
	return -1
}

func (s *scope) declare(prefix, ns string) {
	s.bound = append(s.bound, binding{prefix, ns, s.find(prefix)})
	switch {
	case s.last != nil:
		s.last[prefix] = len(s.bound) - 1
	case len(s.bound) > fewEnough:
		s.last = make(map[string]int)
		for i, b := range s.bound {
			s.last[b.prefix] = i
		}
	}
}

// leave takes back all but the first n bindings.
func (s *scope) leave(n int) {
	if s.last != nil {
		for i := len(s.bound) - 1; i >= n; i-- {
			if b := s.bound[i]; b.outer < 0 {
				delete(s.last, b.prefix)
			} else {
				s.last[b.prefix] = b.outer
			}
		}
	}
	s.bound = s.bound[:n]
}

func (s *scope) lookup(prefix string) (ns string, ok bool) {
	if prefix == "xml" {
		return nsXML, true
	}
	if i := s.find(prefix); i >= 0 {
		return s.bound[i].ns, true
	}
	return "", prefix == ""
}

// resolve turns a name as written into a resolved one. The default namespace is
// for elements alone (Namespaces in XML 1.0 §6.2).
func (s *scope) resolve(raw rawName, element bool) (xml.Name, error) {
	if raw.prefix == "" && !element {
		return xml.Name{Local: raw.local}, nil
	}
	ns, ok := s.lookup(raw.prefix)
	if !ok {
		return xml.Name{}, fault("unbound prefix")
	}
	return xml.Name{Space: ns, Local: raw.local}, nil
}

// reserved says whether Namespaces in XML 1.0 §2.2 and §3 forbid to bind prefix,
// which is empty for the default namespace, to ns.
func reserved(prefix, ns string) bool {
	return prefix != "" && ns == "" || prefix == "xmlns" || ns == nsXMLNS || (prefix == "xml") != (ns == nsXML)
}

// areUnique says whether no two attributes have the same name.
func areUnique(attrs []xml.Attr) bool {
	if len(attrs) <= fewEnough {
		for i, a := range attrs {
			for _, b := range attrs[:i] {
				if a.Name == b.Name {
					return false
				}
			}
		}
		return true
	}
	seen := make(map[xml.Name]bool, len(attrs))
	for _, a := range attrs {
		if seen[a.Name] {
			return false
		}
		seen[a.Name] = true
	}
	return true
}
