package synth

import (
	"fmt"
	"os"
)

// Group is a group of a Liberty file: name (args) { attributes and groups }.
type Group struct {
	Name   string
	Args   []string
	Attrs  map[string][]string // name : value, and name (values)
	Groups []*Group
}

// Find is the groups called name, in order.
func (g *Group) Find(name string) []*Group {
	var list []*Group
	for _, s := range g.Groups {
		if s.Name == name {
			list = append(list, s)
		}
	}
	return list
}

// Attr is the first value of an attribute, or "".
func (g *Group) Attr(name string) string {
	if v := g.Attrs[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// ReadGroups reads all of a Liberty file; errors name the file and the line.
func ReadGroups(path string) (*Group, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("liberty file: %w", err)
	}
	s := &libertyScanner{text: text, line: 1}
	root := &Group{Attrs: map[string][]string{}}
	if err := s.body(root, 0); err != nil {
		return nil, fmt.Errorf("liberty file %s:%d: %w", path, s.line, err)
	}
	if len(root.Groups) != 1 || root.Groups[0].Name != "library" {
		return nil, fmt.Errorf("liberty file %s: this is not a Liberty file: it is not one library", path)
	}
	return root.Groups[0], nil
}

// maxNested bounds groups within groups.
const maxNested = 50

// body reads statements into g up to its closing brace, or to the end of the file.
func (s *libertyScanner) body(g *Group, depth int) error {
	if depth > maxNested {
		return fmt.Errorf("more than %d groups in one another", maxNested)
	}
	for {
		t, err := s.next()
		switch {
		case err != nil:
			return err
		case t == "" && s.at >= len(s.text):
			if depth > 0 {
				return fmt.Errorf("the file ends inside %s", g.Name)
			}
			return nil
		case t == "\n" || t == ";":
		case t == "}":
			if depth == 0 {
				return fmt.Errorf("a } without its {")
			}
			return nil
		default:
			if err := s.member(g, t, depth); err != nil {
				return err
			}
		}
	}
}

// member reads the attribute or group called name.
func (s *libertyScanner) member(g *Group, name string, depth int) error {
	t, err := s.next()
	if err != nil {
		return err
	}
	switch t {
	case ":":
		values, err := s.until(func(t string) bool { return t == ";" || t == "\n" || t == "" })
		g.Attrs[name] = values
		return err
	case "(":
		args, err := s.until(func(t string) bool { return t == ")" || t == "" })
		if err != nil {
			return err
		}
		for at, line := s.at, s.line; ; {
			t, err := s.next()
			if err != nil {
				return err
			}
			switch t {
			case "\n":
				continue
			case "{":
				sub := &Group{Name: name, Args: args, Attrs: map[string][]string{}}
				g.Groups = append(g.Groups, sub)
				return s.body(sub, depth+1)
			}
			s.at, s.line = at, line
			g.Attrs[name] = args
			return nil
		}
	}
	return fmt.Errorf("neither : nor ( behind %.30q", name)
}

// until collects words up to the end, commas and line ends left out.
func (s *libertyScanner) until(end func(string) bool) (words []string, err error) {
	for {
		t, err := s.next()
		if err != nil || end(t) {
			return words, err
		}
		if t != "," && t != "\n" {
			words = append(words, t)
		}
	}
}
