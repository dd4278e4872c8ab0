package ir

import (
	"fmt"
	"strconv"
	"strings"
)

// tokenKind is the class of a token of the text form.
type tokenKind uint8

const (
	tokEOF  tokenKind = iota
	tokLine           // end of a line; not inside [ ]
	tokWord           // identifier, keyword, number or type
	tokName           // quoted string, text unquoted
	tokNode           // %12, text "12"
	tokLoc            // @12, text "12"
	tokMark           // one of = { } [ ] , * .
)

type token struct {
	kind      tokenKind
	text      string
	line, col int
}

// String is the token as an error message names it.
func (t token) String() string {
	switch t.kind {
	case tokEOF:
		return "the end of the text"
	case tokLine:
		return "the end of the line"
	case tokName:
		return strconv.Quote(t.text)
	case tokNode:
		return "%" + t.text
	case tokLoc:
		return "@" + t.text
	}
	return fmt.Sprintf("%q", t.text)
}

// ParseError is a mistake in a text form.
type ParseError struct {
	File      string
	Line, Col int // from 1; Col counts bytes
	Msg       string
}

func (e *ParseError) Error() string { return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Col, e.Msg) }

type lexer struct {
	file      string
	text      string
	pos       int
	line      int
	lineStart int
	lists     int // depth of [ ]
}

// fail ends parsing; Parse recovers the error.
func (l *lexer) fail(t token, format string, a ...any) {
	panic(&ParseError{l.file, t.line, t.col, fmt.Sprintf(format, a...)})
}

func wordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}

func (l *lexer) next() token {
	for l.pos < len(l.text) {
		c := l.text[l.pos]
		t := token{line: l.line, col: l.pos - l.lineStart + 1}
		switch {
		case c == '#':
			for l.pos < len(l.text) && l.text[l.pos] != '\n' {
				l.pos++
			}
		case c == '\n':
			l.pos++
			l.line++
			l.lineStart = l.pos
			if l.lists == 0 {
				t.kind = tokLine
				return t
			}
		case c == ' ' || c == '\t' || c == '\r':
			l.pos++
		case wordByte(c) || c == '-':
			return l.word(t)
		case c == '"':
			return l.name(t)
		case c == '%' || c == '@':
			return l.number(t, c)
		case strings.IndexByte("={}[],*.", c) >= 0:
			l.pos++
			switch c {
			case '[':
				l.lists++
			case ']':
				l.lists = max(0, l.lists-1)
			}
			t.kind, t.text = tokMark, string(c)
			return t
		default:
			l.fail(t, "unexpected character %q", c)
		}
	}
	return token{kind: tokEOF, line: l.line, col: l.pos - l.lineStart + 1}
}

// word reads an identifier or a number; numbers may have a fraction and an exponent.
func (l *lexer) word(t token) token {
	start := l.pos
	digit := l.text[start] < 'A'
	for l.pos++; l.pos < len(l.text); l.pos++ {
		c, before := l.text[l.pos], l.text[l.pos-1]
		exponent := (c == '+' || c == '-') && before == 'e'
		if !wordByte(c) && !(digit && (c == '.' || exponent)) {
			break
		}
	}
	t.kind, t.text = tokWord, l.text[start:l.pos]
	return t
}

func (l *lexer) name(t token) token {
	start := l.pos
	for l.pos++; l.pos < len(l.text) && l.text[l.pos] != '"' && l.text[l.pos] != '\n'; l.pos++ {
		if l.text[l.pos] == '\\' {
			l.pos++
		}
	}
	if l.pos < len(l.text) {
		l.pos++
	}
	s, err := strconv.Unquote(l.text[start:min(l.pos, len(l.text))])
	if err != nil {
		l.fail(t, "a string that does not end, or with a bad escape")
	}
	t.kind, t.text = tokName, s
	return t
}

func (l *lexer) number(t token, mark byte) token {
	start := l.pos + 1
	for l.pos++; l.pos < len(l.text) && l.text[l.pos] >= '0' && l.text[l.pos] <= '9'; l.pos++ {
	}
	t.kind, t.text = tokNode, l.text[start:l.pos]
	if mark == '@' {
		t.kind = tokLoc
	}
	if t.text == "" {
		l.fail(t, "%q without a number", mark)
	}
	return t
}
