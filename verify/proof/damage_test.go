package proof

import (
	"fmt"
	"regexp"
	"testing"

	"ohmloom/verify/synth"
)

// damages are ways to spoil a netlist; each gives the text unchanged when it does not apply
// to the k-th place.
var damages = []struct {
	name  string
	spoil func(net string, k int) string
}{
	{"wrong gate", at(`\bNAND2X1\b`, "NOR2X1")},
	{"wrong gate of three inputs", at(`\bAOI21X1\b`, "OAI21X1")},
	{"buffer for an inverter", at(`\bINVX1\b`, "BUFX2")},
	{"stuck at 0", at(`\.A\([^)]*\)`, ".A(1'h0)")},
	{"stuck at 1", at(`\.B\([^)]*\)`, ".B(1'h1)")},
	{"falling edge", at(`\bDFFPOSX1\b`, "DFFNEGX1")},
	{"flip-flop without its input", at(`\.D\([^)]*\)`, ".D(1'h0)")},
	{"neighbouring net", func(net string, k int) string {
		return swap(net, `\.A\(([^)]*)\)`, k)
	}},
	{"flip-flops with exchanged inputs", func(net string, k int) string {
		return swap(net, `\.D\(([^)]*)\)`, k)
	}},
}

// at replaces the k-th match.
func at(pattern, by string) func(string, int) string {
	re := regexp.MustCompile(pattern)
	return func(net string, k int) string {
		ms := re.FindAllStringIndex(net, -1)
		if len(ms) == 0 {
			return net
		}
		m := ms[k%len(ms)]
		return net[:m[0]] + by + net[m[1]:]
	}
}

// swap exchanges what the k-th match and the next one hold.
func swap(net, pattern string, k int) string {
	ms := regexp.MustCompile(pattern).FindAllStringSubmatchIndex(net, -1)
	if len(ms) < 2 {
		return net
	}
	a, b := ms[k%(len(ms)-1)], ms[k%(len(ms)-1)+1]
	return net[:a[2]] + net[b[2]:b[3]] + net[a[3]:b[2]] + net[a[2]:a[3]] + net[b[3]:]
}

func TestDamagedNetlistsAreFoundNotEqual(t *testing.T) {
	o := prover(t)
	text := verilog(t, example(t))
	applied := map[string]bool{}
	for _, name := range []string{"pe", "skew_8", "distributor_1x64_l8"} {
		net, err := synth.Netlist(t.Context(), name, text[name], o)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range damages {
			for _, k := range []int{3, 17} {
				bad := d.spoil(net, k)
				if bad == net {
					continue
				}
				applied[d.name] = true
				t.Run(fmt.Sprintf("%s/%s/%d", name, d.name, k), func(t *testing.T) {
					t.Parallel()
					p, err := synth.Equivalent(t.Context(), name, text[name], bad, o)
					if err != nil {
						t.Fatal(err)
					}
					if p.Equivalent {
						t.Error("still equivalent")
					}
				})
			}
		}
	}
	if len(applied) != len(damages) {
		t.Errorf("only %d of %d kinds of damage were done", len(applied), len(damages))
	}
}
