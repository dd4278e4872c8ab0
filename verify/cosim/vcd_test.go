package cosim

import (
	"bytes"
	"strings"
	"testing"
)

func TestWaveformText(t *testing.T) {
	var b bytes.Buffer
	err := writeVCD(&b, 3, "two cycles", []signal{
		{[]string{"inputs", "a[0]"}, 8, []uint64{5, 5}},
		{[]string{"bad"}, 1, []uint64{0, 1}},
		{[]string{"top", "u", "q"}, 4, []uint64{1, 2}},
		{[]string{"top", "y"}, 1, []uint64{1, 0}},
	})
	const want = `$comment two cycles $end
$timescale 1ns $end
$var wire 1 % clk $end
$var wire 1 " bad $end
$scope module inputs $end
$var wire 8 ! a[0] [7:0] $end
$upscope $end
$scope module top $end
$var wire 1 $ y $end
$scope module u $end
$var wire 4 # q [3:0] $end
$upscope $end
$upscope $end
$enddefinitions $end
#30
0%
b101 !
0"
b1 #
1$
#35
1%
#40
0%
1"
b10 #
0$
#45
1%
#50
`
	if err != nil || b.String() != want {
		t.Errorf("err %v, got\n%s", err, b.String())
	}
}

func TestIdentifierCodesAreUnique(t *testing.T) {
	seen := map[string]bool{}
	for i := range 20000 {
		c := code(i)
		if seen[c] || strings.ContainsFunc(c, func(r rune) bool { return r < '!' || r > '~' }) {
			t.Fatalf("code %d is %q", i, c)
		}
		seen[c] = true
	}
}
