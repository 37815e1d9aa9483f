// Package luaedit changes the text of Lua settings in few places, and leaves all
// else as it is: comments, order and layout. It takes on what can be seen to be
// plain (literals that stand outside of any block) and refuses the rest.
package luaedit

import (
	"fmt"
	"strings"
)

type kind int

const (
	name        kind = iota // keywords included
	text                    // a string
	number                  // digits first
	punctuation             // one token for each operator
)

// token is a piece of Lua, with its place in the source.
type token struct {
	kind       kind
	source     string
	start, end int // bytes
	line       int // of its start, from 1
}

// scan takes source apart. Comments and white space are no tokens.
func scan(source string) ([]token, error) {
	var tokens []token
	line := 1
	for i := 0; i < len(source); {
		c := source[i]
		start := i
		k := punctuation
		switch {
		case c == '\n':
			line++
			i++
			continue
		case c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v':
			i++
			continue
		case strings.HasPrefix(source[i:], "--"):
			end := commentEnd(source, i)
			if end < 0 {
				return nil, fmt.Errorf("line %d: the comment has no end", line)
			}
			line += strings.Count(source[i:end], "\n")
			i = end
			continue
		case isLetter(c):
			k = name
			for i < len(source) && (isLetter(source[i]) || isDigit(source[i])) {
				i++
			}
		case isDigit(c) || c == '.' && i+1 < len(source) && isDigit(source[i+1]):
			k = number
			i = numberEnd(source, i)
		case c == '"' || c == '\'':
			k = text
			i = quotedEnd(source, i)
		case longBracket(source[i:]) > 0:
			k = text
			i = longEnd(source, i)
		default:
			i += len(operator(source[i:]))
		}
		if i < 0 {
			return nil, fmt.Errorf("line %d: the string has no end", line)
		}
		tokens = append(tokens, token{k, source[start:i], start, i, line})
		line += strings.Count(source[start:i], "\n")
	}
	return tokens, nil
}

func isLetter(c byte) bool { return c == '_' || 'a' <= c|0x20 && c|0x20 <= 'z' }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }

// operator returns the longest operator that source begins with.
func operator(source string) string {
	for _, o := range []string{"...", "..", "==", "~=", "<=", ">=", "::", "//", "<<", ">>"} {
		if strings.HasPrefix(source, o) {
			return o
		}
	}
	return source[:1]
}

func numberEnd(source string, i int) int {
	for i < len(source) && (isLetter(source[i]) || isDigit(source[i]) || source[i] == '.' ||
		(source[i] == '-' || source[i] == '+') && source[i-1]|0x20 == 'e') {
		i++
	}
	return i
}

// quotedEnd returns where the string that begins at i ends, -1 if nowhere.
func quotedEnd(source string, i int) int {
	quote := source[i]
	for i++; i < len(source); i++ {
		switch source[i] {
		case '\\':
			i++
		case quote:
			return i + 1
		}
	}
	return -1
}

// longBracket returns the length of the [[ or [==[ that source begins with, 0 if
// it begins with neither.
func longBracket(source string) int {
	if source == "" || source[0] != '[' {
		return 0
	}
	n := 1
	for n < len(source) && source[n] == '=' {
		n++
	}
	if n < len(source) && source[n] == '[' {
		return n + 1
	}
	return 0
}

func longEnd(source string, i int) int {
	n := longBracket(source[i:])
	closing := "]" + strings.Repeat("=", n-2) + "]"
	end := strings.Index(source[i+n:], closing)
	if end < 0 {
		return -1
	}
	return i + n + end + len(closing)
}

// commentEnd returns where the comment at i ends, less the newline of a short one.
func commentEnd(source string, i int) int {
	if longBracket(source[i+2:]) > 0 {
		return longEnd(source, i+2)
	}
	return lineEnd(source, i)
}

// lineEnd returns where the line ends that i is in, before its newline.
func lineEnd(source string, i int) int {
	if n := strings.IndexByte(source[i:], '\n'); n >= 0 {
		return i + n
	}
	return len(source)
}

func lineStart(source string, i int) int { return strings.LastIndexByte(source[:i], '\n') + 1 }
