package config

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
	"pgregory.net/rapid"

	"ohmloom/gen/arch"
	"ohmloom/gen/lower"
)

// generous is far above what a load takes, far below what an exhausted machine takes.
const generous = 5 * time.Minute

func TestSourcesMeantToExhaustTheMachineEndInTime(t *testing.T) {
	in := func(expr string) string {
		return "chip \"a\" {\n attention {\n rows = " + expr + "\n cols = 1\n }\n}\n"
	}
	var doubling strings.Builder
	doubling.WriteString("locals {\n x0 = \"aaaaaaaaaaaaaaaa\"\n")
	for i := range 60 {
		fmt.Fprintf(&doubling, " x%d = \"${local.x%d}${local.x%d}\"\n", i+1, i, i)
	}
	doubling.WriteString("}\n" + in("strlen(local.x60)"))
	var chain strings.Builder
	chain.WriteString("locals {\n")
	for i := range 8000 {
		fmt.Fprintf(&chain, " x%d = local.x%d\n", i, i+1)
	}
	chain.WriteString("}\n" + in("local.x0"))
	for what, src := range map[string]string{
		"brackets":         in(strings.Repeat("[", 100_000)),
		"parentheses":      in(strings.Repeat("(", 50_000) + "1" + strings.Repeat(")", 50_000)),
		"blocks":           strings.Repeat("chip \"a\" {\n", 20_000),
		"templates":        in(strings.Repeat(`"${`, 60_000)),
		"negations":        in(strings.Repeat("-", 200_000) + "1"),
		"conditionals":     in(strings.Repeat("true ? 1 : ", 20_000) + "0"),
		"sum":              in(strings.Repeat("1 + ", 60_000) + "1"),
		"for":              in("length([for a in range(1000) : [for b in range(1000) : [for c in range(1000) : 1]]])"),
		"range":            in("length(range(1000000000))"),
		"format":           in(`strlen(format("%999999999d", 1))`),
		"exponent":         in("1e999999999"),
		"small":            in("1e-999999999"),
		"digits":           in(strings.Repeat("9", 200_000)),
		"power":            in("pow(10, pow(10, 10))"),
		"doubling":         doubling.String(),
		"chain":            chain.String(),
		"file":             strings.Repeat("# comment\n", 60_000),
		"division by zero": in("1 / 0"),
		"not a number":     in("0 / 0"),
		"infinities":       in("(1 / 0) - (1 / 0)"),
	} {
		t.Run(what, func(t *testing.T) {
			start := time.Now()
			diags := loadText(t, src, nil, nil)
			harmless := what == "negations" || what == "conditionals" // long, but they have a value
			if diags.HasErrors() == harmless {
				t.Errorf("errors: %v", diags.HasErrors())
			}
			if d := time.Since(start); d > generous {
				t.Errorf("took %s, allowed are %s", d, generous)
			}
		})
	}
}

// satisfied panics unless a chip keeps what the comments in package arch promise.
func satisfied(c *arch.Chip) {
	in := func(what string, v, low, high int) {
		if v < low || v > high {
			panic(fmt.Sprintf("%s = %d, promised %d .. %d", what, v, low, high))
		}
	}
	if !identifier.MatchString(c.Name) || verilogReserved[c.Name] || len(c.Hash) != 64 {
		panic("name or hash")
	}
	if !(c.ClockMHz >= 0.001 && c.ClockMHz <= 10_000) {
		panic("clock")
	}
	if a := c.Attention; a != nil {
		in("rows", a.Rows, 1, 1024)
		in("cols", a.Cols, 1, 1024)
		in("max_k", a.MaxK, 1, 65_536)
		in("PEs", a.Rows*a.Cols, 1, MaxPEs)
		if a.Decode != "" {
			engineSatisfied(a, in)
		} else if a.Heads+a.KVHeads+a.HeadChannels+a.Context+a.Layers+a.Lanes+a.Ahead+a.PortBytes != 0 {
			panic("an engine's fields without an engine")
		}
	}
	if p := c.PIM; p != nil {
		x := p.Crossbar
		in("row_blocks", p.RowBlocks, 1, 64)
		in("col_blocks", p.ColBlocks, 1, 64)
		in("lanes", p.Lanes, 1, 64)
		in("crossbar rows", x.Rows, 1, 1024)
		in("crossbar cols", x.Cols, 1, 1024)
		in("bits", x.ADC.Bits, 1, 16)
		in("share", x.ADC.Share, 1, x.Cols)
		in("adc rows", x.ADC.Rows, 1, x.Rows)
		in("cells", p.RowBlocks*p.ColBlocks*x.Rows*x.Cols, 1, MaxCells)
	}
	in("cycles", c.Verify.Cycles, 0, 1e9)
	in("engines", len(c.Verify.Engines), 1, 3)
}

// engineSatisfied is satisfied for a decode engine: the hardware can be built of it too.
func engineSatisfied(a *arch.Attention, in func(what string, v, low, high int)) {
	in("kv_heads", a.KVHeads, 1, a.Heads)
	in("heads beyond the KV heads", a.Heads%a.KVHeads, 0, 0)
	in("heads", a.Heads, 1, 1024)
	in("head_channels", a.HeadChannels, 1, map[string]int{arch.Column: 128, arch.Spread: 1024}[a.Decode])
	in("context", a.Context, 1, 65_536)
	in("layers", a.Layers, 1, 1024)
	if a.PortBytes == 0 {
		in("KV cache", a.KVBytes(), 1, MaxKVBytes)
	}
	if err := lower.Engine(a).Check(); err != nil {
		panic(err)
	}
}

func TestAnyEngineIsWithinItsRangesOrADiagnostic(t *testing.T) {
	accepted, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		size := func(name string, most int) int {
			if rapid.IntRange(0, 20).Draw(t, name+" large") == 0 {
				return rapid.IntRange(1, 70_000).Draw(t, name)
			}
			return rapid.IntRange(1, most).Draw(t, name)
		}
		rows, cols, kv := size("rows", 12), size("cols", 12), size("kv", 4)
		src := fmt.Sprintf("chip \"c\" {\n attention {\n decode = %q\n rows = %d\n cols = %d\n heads = %d\n kv_heads = %d\n head_channels = %d\n context = %d\n layers = %d\n bias = %v\n softmax_lanes = %s\n port_bytes = %d\n }\n}\n",
			rapid.SampledFrom([]string{"column", "spread"}).Draw(t, "decode"), rows, cols,
			rapid.SampledFrom([]int{kv, 2 * kv, 3 * kv, kv + 1}).Draw(t, "heads"), kv, size("channels", 200), size("context", 200), size("layers", 4),
			rapid.Bool().Draw(t, "bias"), rapid.SampledFrom([]string{"null", "null", "null", "1", "2"}).Draw(t, "lanes"),
			rapid.SampledFrom([]int{0, rows, rows * cols, 8}).Draw(t, "port"))
		chip, diags := LoadBytes(context.Background(), "main.hcl", []byte(src), Options{FS: fstest.MapFS{}})
		if (chip == nil) != diags.HasErrors() {
			t.Fatalf("chip %v with\n%s", chip, diags)
		}
		for _, d := range diags {
			if d.Pos.Line == 0 || d.Excerpt == "" || d.Severity == Error && (d.Allowed == "" || d.Suggestion == "") {
				t.Fatalf("incomplete diagnostic %+v", d)
			}
		}
		if chip != nil {
			satisfied(chip)
			accepted++
		} else {
			refused++
		}
	})
	if accepted == 0 || refused == 0 {
		t.Errorf("the generator is lopsided: %d accepted, %d refused", accepted, refused)
	}
}

func TestAnyNumbersGiveAChipWithinItsRangesOrADiagnostic(t *testing.T) {
	accepted, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		strange := rapid.IntRange(-8, 13).Draw(t, "strange") // the one value out of the ordinary, if any
		n := 0
		size := func(name string, usual int) string {
			n++
			if n-1 != strange {
				return fmt.Sprint(rapid.IntRange(1, usual).Draw(t, name))
			}
			return rapid.OneOf(
				rapid.Map(rapid.IntRange(-2, 70_000), func(i int) string { return fmt.Sprint(i) }),
				rapid.SampledFrom([]string{"null", "1.5", "0", "-1", "1000000000", `"8"`, "[]", "true", "1e300"}),
			).Draw(t, name)
		}
		src := fmt.Sprintf("chip \"c\" {\n clock_mhz = %s\n attention {\n rows = %s\n cols = %s\n max_k = %s\n }\n pim {\n row_blocks = %s\n col_blocks = %s\n lanes = %s\n crossbar {\n rows = %s\n cols = %s\n adc {\n bits = %s\n share = %s\n rows = %s\n }\n }\n }\n}\nverify {\n cycles = %s\n seed = %s\n}\n",
			size("clock", 100), size("rows", 600), size("cols", 600), size("k", 100), size("rb", 20), size("cb", 20), size("lanes", 64),
			size("xrows", 600), size("xcols", 600), size("bits", 16), size("share", 9), size("arows", 9), size("cycles", 9), size("seed", 9))
		chip, diags := LoadBytes(context.Background(), "main.hcl", []byte(src), Options{FS: fstest.MapFS{}})
		if (chip == nil) != diags.HasErrors() {
			t.Fatalf("chip %v with\n%s", chip, diags)
		}
		for _, d := range diags {
			if d.Severity == Error && (d.Pos.Line == 0 || d.Excerpt == "" || d.Allowed == "") {
				t.Fatalf("incomplete diagnostic %+v", d)
			}
		}
		if chip != nil && !diags.ForBuilding().HasErrors() {
			satisfied(chip)
			accepted++
		} else {
			refused++
		}
	})
	least := 10
	if testing.Short() { // few checks, so that chance may lean one way
		least = 1
	}
	if accepted < least || refused < least {
		t.Errorf("the generator is lopsided: %d accepted, %d refused", accepted, refused)
	}
}

func FuzzAnyBytesGiveAChipOrADiagnostic(f *testing.F) {
	f.Add(string(Starter()))
	paths, _ := filepath.Glob("testdata/*.txtar")
	for _, path := range paths {
		ar, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range ar.Files {
			if strings.HasSuffix(file.Name, ".hcl") {
				f.Add(string(file.Data))
			}
		}
	}
	examples, _ := filepath.Glob("../../examples/*.hcl")
	for _, path := range examples {
		src, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(src))
	}
	for _, s := range []string{"", "\x00", "\xef\xbb\xbf", "chip", "a = <<E\n", "a = \"${", "locals {\n a = local.a[local.b].c[*]\n}",
		"locals {\n a = (1/0)*0\n b = \"${1/0}\"\n c = -local.a\n}", "variable \"\" {\n type = any\n default = {}\n}", "include \"\\u0000/.hcl\" {}",
		"verify {\n engines = [null]\n}", "chip \"${x}\" {\n}", "locals {\n a = [for i in {a=1}: i...]\n b = {for i in [1]: i => i}\n}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		start := time.Now()
		defer func() {
			if d := time.Since(start); d > generous {
				t.Errorf("took %s, allowed are %s", d, generous)
			}
		}()
		chip, diags := LoadBytes(context.Background(), "main.hcl", []byte(src), Options{FS: fstest.MapFS{}, Vars: map[string]string{"size": src}})
		if (chip == nil) != diags.HasErrors() {
			t.Fatalf("chip %v with\n%s", chip, diags)
		}
		if chip != nil {
			satisfied(chip)
		}
		_ = diags.String()
	})
}
