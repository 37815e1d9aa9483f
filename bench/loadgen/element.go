package main

import "bytes"

// name is that of an element's first tag, with its prefix.
func name(element []byte) string {
	if len(element) < 2 {
		return ""
	}
	end := bytes.IndexAny(element[1:], " \t\r\n/>")
	if end < 0 {
		return ""
	}
	return string(element[1 : 1+end])
}

// attr is an attribute of the element's first tag, as it stands there.
func attr(element []byte, name string) string {
	if end := bytes.IndexByte(element, '>'); end >= 0 {
		element = element[:end]
	}
	for _, quote := range []string{"'", `"`} {
		_, value, found := bytes.Cut(element, []byte(" "+name+"="+quote))
		if !found {
			continue
		}
		if value, _, found = bytes.Cut(value, []byte(quote)); found {
			return string(value)
		}
	}
	return ""
}

// text is what stands between the first tag of that name and the next tag.
func text(element []byte, name string) string {
	i := bytes.Index(element, []byte("<"+name))
	if i < 0 {
		return ""
	}
	tag, rest, found := bytes.Cut(element[i:], []byte(">"))
	if !found || tag[len(tag)-1] == '/' {
		return ""
	}
	value, _, _ := bytes.Cut(rest, []byte("<"))
	return string(value)
}

// condition is the name of the first child that is not <text/>: what an error is defined by.
func condition(element []byte) string {
	_, rest, _ := bytes.Cut(element, []byte(">"))
	for {
		i := bytes.IndexByte(rest, '<')
		if i < 0 {
			return "no condition"
		}
		rest = rest[i:]
		if n := name(rest); n != "" && n != "text" {
			return n
		}
		rest = rest[1:]
	}
}
