package isa

import (
	"fmt"
	"strconv"
	"strings"
)

// Program is a sequence of instructions from address 0 on.
type Program struct {
	Words  []Word
	Labels map[int]string // of addresses; may be nil
}

// Codes is the program as words of program memory.
func (p *Program) Codes() []uint32 {
	codes := make([]uint32, len(p.Words))
	for i, w := range p.Words {
		code, err := w.Encode()
		if err != nil {
			panic("isa: " + err.Error())
		}
		codes[i] = code
	}
	return codes
}

// Assemble reads a program. A line is an optional label with a colon, an optional instruction,
// and an optional comment after a semicolon. An instruction is its name and its fields as
// name=value, in any order; a field that is left out has its least value. The value of target
// may be a label. Errors say file:line:col, the value and what is allowed.
//
//	again:  norm   dst=0
//	        mvm    op=4 layer=1 src=0 dst=1 count=3 ; Q, K, V
//	        loop   times=2 target=again
func Assemble(file, text string) (*Program, error) {
	a := &assembly{file: file, labels: map[string]int{}}
	lines := strings.Split(text, "\n")
	address := 0
	for i, line := range lines {
		label, rest, _ := split(line)
		if label != "" {
			if _, twice := a.labels[label]; twice {
				return nil, a.errorf(i, line, label, "label %q stands here for the second time", label)
			}
			a.labels[label] = address
		}
		if rest != "" {
			address++
		}
	}
	p := &Program{Labels: map[int]string{}}
	for i, line := range lines {
		label, rest, err := split(line)
		if err != nil {
			return nil, a.errorf(i, line, label, "%v", err)
		}
		if label != "" {
			p.Labels[len(p.Words)] = label
		}
		if rest == "" {
			continue
		}
		w, err := a.instruction(i, line, rest)
		if err != nil {
			return nil, err
		}
		p.Words = append(p.Words, w)
	}
	return p, nil
}

type assembly struct {
	file   string
	labels map[string]int
}

// split takes a line apart; a label that is not a name is an error.
func split(line string) (label, rest string, err error) {
	rest, _, _ = strings.Cut(line, ";")
	if before, after, ok := strings.Cut(rest, ":"); ok {
		label, rest = strings.TrimSpace(before), after
		if strings.ContainsAny(label, " \t=") || label == "" || label[0] >= '0' && label[0] <= '9' {
			err = fmt.Errorf("%q is not a label: a word that does not begin with a digit", label)
		}
	}
	return label, strings.TrimSpace(rest), err
}

// errorf is an error at the place of word in line.
func (a *assembly) errorf(line int, text, word, format string, args ...any) error {
	return fmt.Errorf("%s:%d:%d: %s", a.file, line+1, strings.Index(text, word)+1, fmt.Sprintf(format, args...))
}

func (a *assembly) instruction(i int, line, text string) (Word, error) {
	parts := strings.Fields(text)
	kind := kindOf(parts[0])
	if kind == nil {
		return Word{}, a.errorf(i, line, parts[0], "there is no instruction %q; there are %s", parts[0], strings.Join(names(), ", "))
	}
	w := Word{Kind: kind}
	for _, f := range kind.Fields {
		w.Values = append(w.Values, f.Bias)
	}
	given := map[string]bool{}
	for _, part := range parts[1:] {
		name, value, ok := strings.Cut(part, "=")
		at, f := field(kind, name)
		if !ok || f == nil {
			return Word{}, a.errorf(i, line, part, "%s has no field %q; write name=value with %s", kind.Name, name, fieldsOf(kind))
		}
		if given[name] {
			return Word{}, a.errorf(i, line, part, "field %s is given twice", name)
		}
		given[name] = true
		v, err := strconv.ParseInt(value, 0, 32)
		if address, isLabel := a.labels[value]; isLabel && f == Target {
			v, err = int64(address), nil
		}
		if err != nil {
			what := "a number"
			if f == Target {
				what = "a number or a label of this file"
			}
			return Word{}, a.errorf(i, line, part, "%s is %q, which is not %s", name, value, what)
		}
		if int(v) < f.Bias || int(v) > f.Max() {
			return Word{}, a.errorf(i, line, part, "%s is %d, allowed are %d to %d", name, v, f.Bias, f.Max())
		}
		w.Values[at] = int(v)
	}
	return w, nil
}

func kindOf(name string) *Kind {
	for _, k := range Set {
		if k.Name == name {
			return k
		}
	}
	return nil
}

func field(k *Kind, name string) (int, *Field) {
	for i, f := range k.Fields {
		if f.Name == name {
			return i, f
		}
	}
	return 0, nil
}

func names() []string {
	var all []string
	for _, k := range Set {
		all = append(all, k.Name)
	}
	return all
}

func fieldsOf(k *Kind) string {
	if len(k.Fields) == 0 {
		return "no field"
	}
	var all []string
	for _, f := range k.Fields {
		all = append(all, f.Name)
	}
	return strings.Join(all, ", ")
}

// String is w as Assemble reads it.
func (w Word) String() string {
	var b strings.Builder
	b.WriteString(w.Kind.Name)
	for i, f := range w.Kind.Fields {
		fmt.Fprintf(&b, " %s=%d", f.Name, w.Values[i])
	}
	return b.String()
}

// Listing is the program in text: address, code and instruction of each word, labels in front
// of what they name. Without its first two columns Assemble reads it again.
func (p *Program) Listing() string {
	var b strings.Builder
	for i, w := range p.Words {
		label := ""
		if l := p.Labels[i]; l != "" {
			label = l + ":"
		}
		text := w.String()
		if target, name := w.Value(Target), p.Labels[w.Value(Target)]; name != "" && hasTarget(w.Kind) {
			text = strings.Replace(text, fmt.Sprintf("target=%d", target), "target="+name, 1)
		}
		code, err := w.Encode()
		if err != nil {
			panic("isa: " + err.Error())
		}
		fmt.Fprintf(&b, "%03x %08x  %-10s%s\n", i, code, label, text)
	}
	return b.String()
}

func hasTarget(k *Kind) bool {
	_, f := field(k, Target.Name)
	return f != nil
}

// Disassemble is the program of the given words. What is no instruction is an error with its
// address.
func Disassemble(codes []uint32) (*Program, error) {
	p := &Program{}
	for i, code := range codes {
		w, err := Decode(code)
		if err != nil {
			return nil, fmt.Errorf("address %d: %w", i, err)
		}
		p.Words = append(p.Words, w)
	}
	return p, nil
}

// Markdown is the documentation of the set as a page.
func Markdown() string {
	var b strings.Builder
	b.WriteString("# Instruction set\n\nWords of 32 bits; bits that an instruction does not use are zero.\n\n")
	b.WriteString("| bits 31..28 | instruction | fields (bits) | does |\n|---|---|---|---|\n")
	for _, k := range Set {
		var fields []string
		for _, f := range k.Fields {
			fields = append(fields, fmt.Sprintf("%s (%s)", f.Name, f.place()))
		}
		fmt.Fprintf(&b, "| %d | `%s` | %s | %s |\n", k.Op, k.Name, strings.Join(fields, ", "), k.Doc)
	}
	b.WriteString("\n| field | values | is |\n|---|---|---|\n")
	for _, f := range []*Field{Dst, Src, Rows, Layer, Bank, Count, MVM, Store, Follow, Slot, Tokens, Times, Target} {
		fmt.Fprintf(&b, "| %s | %d to %d | %s |\n", f.Name, f.Bias, f.Max(), f.Doc)
	}
	return b.String()
}

func (f *Field) place() string {
	if f.W == 1 {
		return strconv.Itoa(f.Lo)
	}
	return fmt.Sprintf("%d..%d", f.Lo+f.W-1, f.Lo)
}
