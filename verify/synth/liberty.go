package synth

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
)

// Cell is a standard cell.
type Cell struct {
	AreaUm2  float64
	FlipFlop bool // holds a bit: the file has an ff group for it
}

// Liberty is what area needs of a Liberty file: the cells, and the area of the smallest
// two-input NAND, the unit of a gate equivalent.
type Liberty struct {
	Path     string
	Cells    map[string]Cell
	NAND2Um2 float64
	Hash     string // SHA-256 of the file
}

var nand2 = regexp.MustCompile(`(?i)nand2`)

// ReadLiberty reads a Liberty file: of each cell its name, its area and whether it is a
// flip-flop; everything else is skipped. A file that is not Liberty, a cell that is listed
// twice or whose area is not a number from 0, and a file without a NAND2 cell, without which
// areas could not be given in gate equivalents, are errors that name the file and the line.
func ReadLiberty(path string) (*Liberty, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("liberty file: %w", err)
	}
	sum := sha256.Sum256(data)
	l := &Liberty{Path: path, Cells: map[string]Cell{}, Hash: hex.EncodeToString(sum[:])}
	s := &libertyScanner{text: data, line: 1, lib: l}
	if err := s.file(); err != nil {
		return nil, fmt.Errorf("liberty file %s:%d: %w", path, s.line, err)
	}
	if l.NAND2Um2 == 0 {
		return nil, fmt.Errorf("liberty file %s: no two-input NAND cell (a name with nand2) with an area among its %d cells; gate equivalents need one", path, len(l.Cells))
	}
	return l, nil
}

// libertyScanner walks through nested groups "name (arguments) { ... }" with the statement
// being read in hand.
type libertyScanner struct {
	text []byte
	at   int
	line int

	lib    *Liberty
	open   []group
	words  []string // the start of the statement
	closed bool     // the last token was a closing parenthesis
	cell   *Cell    // the open cell, or nil
	seen   bool     // a library was opened
}

// group is an open group.
type group struct{ name, arg string }

// next is the next token: a word, a string without its quotes, a mark or the end of a line;
// "" at the end. Comments and continued lines are skipped.
func (s *libertyScanner) next() (token string, err error) {
	for ; s.at < len(s.text); s.at++ {
		switch c := s.text[s.at]; {
		case c == '\n':
			s.line++
			s.at++
			return "\n", nil
		case c == '\\':
			s.continued()
		case c == ' ', c == '\t', c == '\r':
		case c == '/' && s.at+1 < len(s.text) && s.text[s.at+1] == '*':
			if err := s.comment(); err != nil {
				return "", err
			}
		case c == '/' && s.at+1 < len(s.text) && s.text[s.at+1] == '/':
			for s.at+1 < len(s.text) && s.text[s.at+1] != '\n' {
				s.at++
			}
		case c == '"':
			return s.quoted()
		case isMark(c):
			s.at++
			return string(c), nil
		case c < ' ':
			return "", fmt.Errorf("unexpected character %q", c)
		default:
			start := s.at
			for s.at < len(s.text) && !isMark(s.text[s.at]) && s.text[s.at] > ' ' && s.text[s.at] != '"' {
				s.at++
			}
			return string(s.text[start:s.at]), nil
		}
	}
	return "", nil
}

func isMark(c byte) bool {
	switch c {
	case '(', ')', '{', '}', ':', ';', ',':
		return true
	}
	return false
}

// continued skips the rest of a line behind a backslash, so that the next one belongs to it.
func (s *libertyScanner) continued() {
	for s.at+1 < len(s.text) && s.text[s.at] != '\n' && s.text[s.at+1] <= ' ' {
		s.at++
	}
	if s.text[s.at] == '\n' {
		s.line++
	}
}

// comment moves to the last character of the comment that starts here.
func (s *libertyScanner) comment() error {
	start := s.line
	for s.at += 2; s.at+1 < len(s.text); s.at++ {
		if s.text[s.at] == '\n' {
			s.line++
		}
		if s.text[s.at] == '*' && s.text[s.at+1] == '/' {
			s.at++
			return nil
		}
	}
	return fmt.Errorf("the comment of line %d does not end", start)
}

func (s *libertyScanner) quoted() (string, error) {
	begin, start := s.at+1, s.line
	for s.at++; s.at < len(s.text); s.at++ {
		switch s.text[s.at] {
		case '\n':
			s.line++
		case '"':
			s.at++
			return string(s.text[begin : s.at-1]), nil
		}
	}
	return "", fmt.Errorf("the string of line %d does not end", start)
}

func (s *libertyScanner) file() error {
	for {
		t, err := s.next()
		if err != nil {
			return err
		}
		switch {
		case t == "" && s.at >= len(s.text):
			if n := len(s.open); n > 0 {
				return fmt.Errorf("the file ends inside %s (%s)", s.open[n-1].name, s.open[n-1].arg)
			}
			if !s.seen {
				return errors.New("this is not a Liberty file: it is empty")
			}
			return nil
		case t == "\n" && (len(s.words) < 3 || s.words[1] != ":"): // an attribute may end without a semicolon
		case t == "\n", t == ";":
			err = s.statement()
		case t == "{":
			err = s.enter()
		case t == "}":
			err = s.leave()
		default:
			if s.closed && t != ":" && t != "," && t != ")" {
				s.words = s.words[:0]
			}
			if len(s.words) < 4 { // more is never looked at
				s.words = append(s.words, t)
			}
			s.closed = t == ")"
		}
		if err != nil {
			return err
		}
	}
}

// enter opens the group whose heading was read.
func (s *libertyScanner) enter() error {
	g := group{}
	if len(s.words) > 0 {
		g.name = s.words[0]
	}
	if len(s.words) > 2 && s.words[1] == "(" && s.words[2] != ")" {
		g.arg = s.words[2]
	}
	switch {
	case len(s.open) == 0 && g.name != "library":
		return fmt.Errorf("this is not a Liberty file: it starts with %.20q, not with library", g.name)
	case len(s.open) == 1 && g.name == "cell":
		if _, twice := s.lib.Cells[g.arg]; twice || g.arg == "" {
			return fmt.Errorf("cell %q is listed twice or has no name", g.arg)
		}
		s.cell = &Cell{}
	case len(s.open) == 2 && s.cell != nil && (g.name == "ff" || g.name == "ff_bank"):
		s.cell.FlipFlop = true
	}
	s.open = append(s.open, g)
	s.reset()
	s.seen = true
	return nil
}

func (s *libertyScanner) leave() error {
	if err := s.statement(); err != nil {
		return err
	}
	n := len(s.open)
	if n == 0 {
		return errors.New("a } without its {")
	}
	if s.cell != nil && n == 2 {
		s.lib.add(s.open[1].arg, *s.cell)
		s.cell = nil
	}
	s.open = s.open[:n-1]
	return nil
}

func (s *libertyScanner) reset() { s.words, s.closed = s.words[:0], false }

// statement ends an attribute; only the area of a cell counts.
func (s *libertyScanner) statement() (err error) {
	if s.cell != nil && len(s.open) == 2 && len(s.words) >= 2 && s.words[0] == "area" && s.words[1] == ":" {
		if s.cell.AreaUm2, err = area(s.words[2:]); err != nil {
			err = fmt.Errorf("cell %s: %w", s.open[1].arg, err)
		}
	}
	s.reset()
	return err
}

func area(words []string) (float64, error) {
	if len(words) != 1 {
		return 0, fmt.Errorf("area %q is not one number of um2", words)
	}
	a, err := strconv.ParseFloat(words[0], 64)
	if err != nil || !(a >= 0 && a < 1e15) {
		return 0, fmt.Errorf("area %q is not a number of um2 from 0", words[0])
	}
	return a, nil
}

func (l *Liberty) add(name string, c Cell) {
	l.Cells[name] = c
	if nand2.MatchString(name) && c.AreaUm2 > 0 && (l.NAND2Um2 == 0 || c.AreaUm2 < l.NAND2Um2) {
		l.NAND2Um2 = c.AreaUm2
	}
}
