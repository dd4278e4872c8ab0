package cosim

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// signal is one line of a waveform.
type signal struct {
	path   []string // scopes, then the name
	width  int
	values []uint64 // one a cycle
}

// scope is a level of the waveform's hierarchy; its parts stand in the order of arrival.
type scope struct {
	name    string
	scopes  []*scope
	signals []int
}

func (s *scope) sub(name string) *scope {
	for _, c := range s.scopes {
		if c.name == name {
			return c
		}
	}
	c := &scope{name: name}
	s.scopes = append(s.scopes, c)
	return c
}

// ticksPerCycle is how many time units a cycle takes: values change at its begin, the clock
// rises in its middle.
const ticksPerCycle = 10

// writeVCD writes cycles from, from+1, ... of all signals and the clock as a value change
// dump (IEEE 1364, clause 18).
func writeVCD(w io.Writer, from int, comment string, signals []signal) error {
	b := bufio.NewWriter(w)
	root := &scope{}
	cycles := 0
	for i, s := range signals {
		at := root
		for _, name := range s.path[:len(s.path)-1] {
			at = at.sub(name)
		}
		at.signals = append(at.signals, i)
		cycles = max(cycles, len(s.values))
	}
	fmt.Fprintf(b, "$comment %s $end\n$timescale 1ns $end\n$var wire 1 %s clk $end\n", comment, code(len(signals)))
	declare(b, root, signals)
	b.WriteString("$enddefinitions $end\n")
	for k := range cycles {
		fmt.Fprintf(b, "#%d\n0%s\n", (from+k)*ticksPerCycle, code(len(signals)))
		for i, s := range signals {
			if k < len(s.values) && (k == 0 || s.values[k] != s.values[k-1]) {
				change(b, s.values[k], s.width, code(i))
			}
		}
		fmt.Fprintf(b, "#%d\n1%s\n", (from+k)*ticksPerCycle+ticksPerCycle/2, code(len(signals)))
	}
	fmt.Fprintf(b, "#%d\n", (from+cycles)*ticksPerCycle)
	return b.Flush()
}

func declare(b *bufio.Writer, s *scope, signals []signal) {
	for _, i := range s.signals {
		v := signals[i]
		name := v.path[len(v.path)-1]
		if v.width > 1 {
			name += fmt.Sprintf(" [%d:0]", v.width-1)
		}
		fmt.Fprintf(b, "$var wire %d %s %s $end\n", v.width, code(i), name)
	}
	for _, c := range s.scopes {
		fmt.Fprintf(b, "$scope module %s $end\n", strings.ReplaceAll(c.name, " ", "_"))
		declare(b, c, signals)
		b.WriteString("$upscope $end\n")
	}
}

func change(b *bufio.Writer, v uint64, width int, id string) {
	if width == 1 {
		fmt.Fprintf(b, "%d%s\n", v&1, id)
		return
	}
	fmt.Fprintf(b, "b%s %s\n", strconv.FormatUint(v, 2), id)
}

// code is the identifier of signal i: printable characters, as few as do.
func code(i int) string {
	const first, count = '!', '~' - '!' + 1
	s := string(rune(first + i%count))
	for i = i/count - 1; i >= 0; i = i/count - 1 {
		s += string(rune(first + i%count))
	}
	return s
}
