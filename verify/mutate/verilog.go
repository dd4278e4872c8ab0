package mutate

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"

	"ohmloom/ir/bits"
	"ohmloom/verify/verilated/vlog"
)

// textKind is one kind of mistake in Verilog: what the pattern matches becomes what edit
// gives; "" leaves it alone.
type textKind struct {
	name    string
	pattern *regexp.Regexp
	edit    func(match []string) string
}

func to(s string) func([]string) string { return func([]string) string { return s } }

// textKinds is the table of mistakes in Verilog. The patterns see one line of a module body
// at a time, without its comment.
var textKinds = []textKind{
	{"plus becomes minus", regexp.MustCompile(` \+ `), to(" - ")},
	{"minus becomes plus", regexp.MustCompile(` - `), to(" + ")},
	{"times becomes plus", regexp.MustCompile(` \* `), to(" + ")},
	{"and becomes or", regexp.MustCompile(` & `), to(" | ")},
	{"or becomes and", regexp.MustCompile(` \| `), to(" & ")},
	{"exclusive or becomes or", regexp.MustCompile(` \^ `), to(" | ")},
	{"complement dropped", regexp.MustCompile(`~([a-z(])`), func(m []string) string { return m[1] }},
	{"equal becomes unequal", regexp.MustCompile(` == `), to(" != ")},
	{"unequal becomes equal", regexp.MustCompile(` != `), to(" == ")},
	{"below becomes not above", regexp.MustCompile(` < `), to(" <= ")},
	{"arithmetic shift becomes logical", regexp.MustCompile(` >>> `), to(" >> ")},
	{"shift the other way", regexp.MustCompile(` (<<|>>) `), func(m []string) string {
		return map[string]string{"<<": " >> ", ">>": " << "}[m[1]]
	}},
	{"sign not extended", regexp.MustCompile(`\{\{(\d+)\{[a-z]\w*\[\w+\]\}\}`), func(m []string) string { return "{" + m[1] + "'d0" }},
	{"signed comparison becomes unsigned", regexp.MustCompile(`\$signed\((.*) (<=?) \$signed\(`), func(m []string) string {
		return "(" + m[1] + " " + m[2] + " ("
	}},
	{"constant one more", regexp.MustCompile(`\b(\d+)'d(\d+)\b`), oneMore},
	{"part select a bit lower", regexp.MustCompile(`\[(\d+):(\d+)\]`), oneLower},
	{"reset missing", regexp.MustCompile(`if \(rst\) begin`), to("if (1'b0) begin")},
	{"enable dropped", regexp.MustCompile(`if \((\w+_en|\w+\[\d+\]|[a-qs-z]\w*)\) begin`), to("if (1'b1) begin")},
	{"index one lower", regexp.MustCompile(`\+ ([1-9]\d*) \+:`), func(m []string) string {
		v, err := strconv.Atoi(m[1])
		if err != nil {
			return ""
		}
		return fmt.Sprintf("+ %d +:", v-1)
	}},
}

func oneMore(m []string) string {
	w, err := strconv.Atoi(m[1])
	v, err2 := strconv.ParseUint(m[2], 10, 64)
	if err != nil || err2 != nil || w < 1 || w > 64 {
		return ""
	}
	return fmt.Sprintf("%d'd%d", w, bits.Add(v, 1, w))
}

func oneLower(m []string) string {
	hi, _ := strconv.Atoi(m[1])
	lo, _ := strconv.Atoi(m[2])
	if lo == 0 {
		return ""
	}
	return fmt.Sprintf("[%d:%d]", hi-1, lo-1)
}

// place is a match of a pattern in a file.
type place struct {
	file       int
	line       int // from 1
	start, end int // in the file's text
	repl       string
}

// Verilog gives a copy of emitted files with one mistake that still compiles, and says which.
// The kinds of mistakes that the text offers are equally likely. Declarations, loop headings,
// connections, power-on blocks and what goes to unused_ wires stay as they are. nil when there is nothing
// to change.
func Verilog(files []vlog.File, seed uint64) ([]vlog.File, string) {
	r := rand.New(rand.NewPCG(bits.Mix(seed), 6))
	for _, k := range r.Perm(len(textKinds)) {
		ps := places(files, textKinds[k])
		if len(ps) == 0 {
			continue
		}
		p := ps[r.IntN(len(ps))]
		out := append([]vlog.File(nil), files...)
		f := &out[p.file]
		what := fmt.Sprintf("%s: %s:%d: %q became %q", textKinds[k].name, f.Name, p.line, f.Text[p.start:p.end], p.repl)
		f.Text = f.Text[:p.start] + p.repl + f.Text[p.end:]
		return out, what
	}
	return nil, ""
}

var (
	declares = regexp.MustCompile(`^\s*(wire|reg)( signed)? (\[[^]]*\] )?`)
	// Lines that no kind touches: declarations without value, headings, connections (an output
	// wants a net, not an expression), and all of a statement about unused_ wires or a power-on
	// block.
	fixed  = regexp.MustCompile(`^\s*\.|^\s*(for|input|output|genvar|integer|localparam|module|function|endfunction|generate)\b`)
	unused = regexp.MustCompile(`unused_`)
	power  = regexp.MustCompile(`^  initial\b`)
)

// skipper says which part of a line, read after the lines before it, no kind touches.
type skipper struct{ until string }

func (s *skipper) line(body string) int {
	text := strings.TrimRight(body, " \t\n")
	if s.until != "" {
		if text == s.until || s.until == ";" && strings.HasSuffix(text, ";") {
			s.until = ""
		}
		return len(body)
	}
	switch {
	case power.MatchString(body) && strings.HasSuffix(text, "begin"):
		s.until = "  end"
		return len(body)
	case unused.MatchString(body):
		if !strings.HasSuffix(text, ";") {
			s.until = ";"
		}
		return len(body)
	case fixed.MatchString(body):
		return len(body)
	}
	skip := len(declares.FindString(body))
	if skip > 0 && !strings.Contains(body, "=") {
		skip = len(body)
	}
	return skip
}

func places(files []vlog.File, k textKind) []place {
	var out []place
	for i, f := range files {
		if !strings.HasSuffix(f.Name, ".v") {
			continue
		}
		offset, sk := 0, skipper{}
		for n, line := range strings.SplitAfter(f.Text, "\n") {
			body, _, _ := strings.Cut(line, "//")
			skip := sk.line(body)
			for _, m := range k.pattern.FindAllStringSubmatchIndex(body[skip:], -1) {
				var groups []string
				for g := 0; g < len(m); g += 2 {
					groups = append(groups, body[skip+m[g]:skip+m[g+1]])
				}
				if repl := k.edit(groups); repl != "" {
					out = append(out, place{i, n + 1, offset + skip + m[0], offset + skip + m[1], repl})
				}
			}
			offset += len(line)
		}
	}
	return out
}
