package rtl

import (
	"fmt"
	"strings"

	"ohmloom/ir"
)

// function gives the name of the function made by text, which is written once a module. The
// module's name is part of it: Verilator warns when the result of a function hides that of
// a module above.
func (b *builder) function(want, key string, text func(name string) []string) string {
	if name, ok := b.funcs[key]; ok {
		return name
	}
	name := b.names.pick(b.m.Name + "_" + want)
	b.funcs[key] = name
	b.out.funcs = append(b.out.funcs, lines{b.locals(text(name))})
	return name
}

// localName gives the name of what is called want inside functions: nothing else in the
// module has it, for linters dislike names that hide others.
func (b *builder) localName(want string) string {
	if name, ok := b.local[want]; ok {
		return name
	}
	name := b.names.pick(want)
	b.local[want] = name
	return name
}

// locals replaces the words in backquotes by local names.
func (b *builder) locals(text []string) []string {
	for i, l := range text {
		for {
			at := strings.IndexByte(l, '`')
			if at < 0 {
				break
			}
			end := at + 1 + strings.IndexByte(l[at+1:], '`')
			l = l[:at] + b.localName(l[at+1:end]) + l[end+1:]
		}
		text[i] = l
	}
	return text
}

// pick is the element of a vector with the index given by a value, zero beyond the last.
func (b *builder) pick(n *ir.Node) expr {
	vec, idx := n.Args[0], n.Args[1]
	if c, ok := idx.Op.(ir.Const); ok {
		if c.Val[0] >= uint64(vec.Type.N) {
			return lit{n.Type.W, 0}
		}
		v := b.viewOf(vec)
		return bitsOf{v.net, v.off + v.stride*int(c.Val[0]), v.w}
	}
	v := b.viewOf(vec)
	if vec.Type.N == 1 {
		return cond{binop{"==", b.expr(idx), lit{idx.Type.W, 0}}, v.all(), lit{n.Type.W, 0}}
	}
	guard, index := b.index(idx, vec.Type.N)
	x := expr(pickOf{v, index})
	if guard != nil {
		return cond{guard, x, lit{n.Type.W, 0}}
	}
	return x
}

// fold reduces group i of the operand, or all of it when i is "".
func (b *builder) fold(n *ir.Node, op ir.Fold, i string) expr {
	a := n.Args[0]
	k, w := a.Type.N/n.Type.N, a.Type.W
	if k == 1 {
		if !op.Signed || w == n.Type.W {
			return extend(b.operand(n, 0, i), w, n.Type.W, false)
		}
		return extend(b.selectable(n, 0, i), w, n.Type.W, true)
	}
	if w == 1 && op.Kind != ir.FoldAdd && i == "" {
		return unary{foldOps[op.Kind], b.expr(a)}
	}
	v := b.packedView(a)
	v = view{v.net, v.off, k * w, n.Type.N, k * w}
	x := v.all()
	if i != "" {
		x = laneOf{v, i}
	}
	switch {
	case w == 1 && op.Kind != ir.FoldAdd:
		return unary{foldOps[op.Kind], x}
	case k <= maxTerms:
		terms := make([]expr, k)
		for j := range terms {
			terms[j] = extend(part(x, j*w, w), w, n.Type.W, op.Signed)
		}
		return balanced(foldOps[op.Kind], terms)
	}
	return call{b.foldFunc(op, k, w, n.Type.W), []expr{x}}
}

var foldOps = []string{ir.FoldAdd: "+", ir.FoldAnd: "&", ir.FoldOr: "|", ir.FoldXor: "^"}

var foldWords = []string{ir.FoldAdd: "sum", ir.FoldAnd: "and", ir.FoldOr: "or", ir.FoldXor: "xor"}

func balanced(op string, terms []expr) expr {
	if len(terms) == 1 {
		return terms[0]
	}
	h := len(terms) / 2
	return binop{op, balanced(op, terms[:h]), balanced(op, terms[h:])}
}

// foldFunc is a function that reduces k elements of w bits to one of to bits, as a balanced
// tree: pairs 1 apart, then 2 apart, and so on.
func (b *builder) foldFunc(op ir.Fold, k, w, to int) string {
	word := foldWords[op.Kind]
	if op.Kind == ir.FoldAdd && op.Signed && to > w {
		word = "signed_sum"
	}
	return b.function(fmt.Sprintf("%s_of_%d", word, k), fmt.Sprint("fold", word, k, w, to), func(name string) []string {
		head := []string{
			fmt.Sprintf("function %s%s;  // %d x %d bits", spaced(rangeOf(to)), name, k, w),
			fmt.Sprintf("  input [%d:0] `v`;", k*w-1),
		}
		if w == 1 { // a sum: the others are reduction operators
			head = append(head, fmt.Sprintf("  reg [%d:0] `acc`;", max(to, countBits)-1), "  begin")
			for _, l := range b.counted("`v`", k, to, op.Signed) {
				head = append(head, "    "+l)
			}
			return append(head, fmt.Sprintf("    %s = %s;", name, low("`acc`", to, max(to, countBits))), "  end", "endfunction")
		}
		at := func(i string) string { return fmt.Sprintf("`t`[%d*%s +: %d]", to, i, to) }
		return append(head,
			fmt.Sprintf("  reg [%d:0] `t`;", k*to-1),
			"  integer `e`;",
			"  integer `step`;",
			"  begin",
			fmt.Sprintf("    for (`e` = 0; `e` < %d; `e` = `e` + 1)", k),
			fmt.Sprintf("      %s = %s;", at("`e`"), widened("`v`", "`e`", w, to, op.Signed)),
			fmt.Sprintf("    for (`step` = 1; `step` < %d; `step` = 2*`step`)", k),
			fmt.Sprintf("      for (`e` = 0; `e` + `step` < %d; `e` = `e` + 2*`step`)", k),
			fmt.Sprintf("        %s = %s %s %s;", at("`e`"), at("`e`"), foldOps[op.Kind], at("(`e` + `step`)")),
			fmt.Sprintf("    %s = `t`[%d:0];", name, to-1),
			"  end",
			"endfunction")
	})
}

// widened is the text of element i of a packed name, extended.
func widened(name, i string, w, to int, isSigned bool) string {
	x := element(name, i, w)
	switch {
	case w == to:
		return x
	case !isSigned:
		return fmt.Sprintf("{%d'd0, %s}", to-w, x)
	case w == 1:
		return fmt.Sprintf("{%d{%s}}", to, x)
	}
	return fmt.Sprintf("{{%d{%s[%d*%s + %d]}}, %s}", to-w, name, w, i, w-1, x)
}

// maskedSum is a call of the column sum.
func (b *builder) maskedSum(n *ir.Node, isSigned bool) expr {
	if mem := b.columns(n); mem != nil {
		return b.memorySum(n, mem, isSigned)
	}
	mask, cells := n.Args[0], n.Args[1]
	k, w, g, to := mask.Type.N, cells.Type.W, n.Type.N, n.Type.W
	fn := b.function("column_sums", fmt.Sprint("msum", k, w, g, to, isSigned), func(name string) []string {
		head := []string{
			fmt.Sprintf("// Sums of the elements under the mask: %d groups of %d x %d bits.", g, k, w),
			fmt.Sprintf("function [%d:0] %s;", g*to-1, name),
			fmt.Sprintf("  input [%d:0] `mask`;", k-1),
			fmt.Sprintf("  input [%d:0] `cells`;", k*g*w-1),
			"  integer `g`;",
		}
		if w == 1 {
			return append(head, b.columnCounts(name, k, g, to, isSigned, "|`mask`", fmt.Sprintf("`cells`[%d*`g` +: %d]", k, k))...)
		}
		return append(head,
			"  integer `j`;",
			fmt.Sprintf("  reg [%d:0] `acc`;", to-1),
			"  begin",
			fmt.Sprintf("    for (`g` = 0; `g` < %d; `g` = `g` + 1) begin", g),
			fmt.Sprintf("      `acc` = %d'd0;", to),
			fmt.Sprintf("      for (`j` = 0; `j` < %d; `j` = `j` + 1)", k),
			"        if (`mask`[`j`])",
			fmt.Sprintf("          `acc` = `acc` + %s;", widened("`cells`", fmt.Sprintf("(%d*`g` + `j`)", k), w, to, isSigned)),
			fmt.Sprintf("      %s = `acc`;", element(name, "`g`", to)),
			"    end",
			"  end",
			"endfunction")
	})
	return call{fn, []expr{b.expr(mask), b.expr(cells)}}
}

// columnCounts is the rest of a column sum over single-bit cells, column being the text of
// column g and when the condition under which there is anything to count. A column stands in a name of its
// own, so that its words have fixed places, which simulates fast.
func (b *builder) columnCounts(name string, k, g, to int, isSigned bool, when, column string) []string {
	text := []string{
		fmt.Sprintf("  reg [%d:0] `column`;", k-1),
		fmt.Sprintf("  reg [%d:0] `acc`;", max(to, countBits)-1),
		"  begin",
		fmt.Sprintf("    %s = %d'd0;", name, g*to),
		"    if (" + when + ")",
		fmt.Sprintf("      for (`g` = 0; `g` < %d; `g` = `g` + 1) begin", g),
		"        `column` = `mask` & " + column + ";",
	}
	for _, l := range b.counted("`column`", k, to, isSigned) {
		text = append(text, "        "+l)
	}
	return append(text,
		fmt.Sprintf("        %s = %s;", element(name, "`g`", to), low("`acc`", to, max(to, countBits))),
		"      end",
		"  end",
		"endfunction")
}

// countBits is the width of a count of the ones in 64 bits.
const countBits = 7

// counted adds up the k bits of a name in acc, which is to or countBits wide, 64 at a time.
func (b *builder) counted(bits string, k, to int, isSigned bool) []string {
	ones := b.function("count_ones", "ones", countOnes)
	wide, op := max(to, countBits), "+"
	if isSigned { // a set bit is -1
		op = "-"
	}
	text := []string{fmt.Sprintf("`acc` = %d'd0;", wide)}
	for lo := 0; lo < k; lo += 64 {
		x := bits
		if k > 1 { // else it may be a name without a range
			x += bitRange(min(lo+64, k)-1, lo)
		}
		if pad := lo + 64 - k; pad > 0 {
			x = fmt.Sprintf("{%d'd0, %s}", pad, x)
		}
		x = fmt.Sprintf("%s(%s)", ones, x)
		if wide > countBits {
			x = fmt.Sprintf("{%d'd0, %s}", wide-countBits, x)
		}
		text = append(text, fmt.Sprintf("`acc` = `acc` %s %s;", op, x))
	}
	return text
}

// low is the w low bits of a name of full bits.
func low(name string, w, full int) string {
	if w == full {
		return name
	}
	return name + bitRange(w-1, 0)
}

// countOnes is written as compilers know it, which make one instruction of it.
func countOnes(name string) []string {
	return []string{
		fmt.Sprintf("function [%d:0] %s;  // number of ones in a word", countBits-1, name),
		"  input [63:0] `word`;",
		"  reg [63:0] `t`;",
		"  begin",
		"    `t` = `word` - ((`word` >> 1) & 64'h5555555555555555);",
		"    `t` = (`t` & 64'h3333333333333333) + ((`t` >> 2) & 64'h3333333333333333);",
		"    `t` = (`t` + (`t` >> 4)) & 64'h0f0f0f0f0f0f0f0f;",
		"    `t` = (`t` * 64'h0101010101010101) >> 56;",
		fmt.Sprintf("    %s = `t`[%d:0];", name, countBits-1),
		"  end",
		"endfunction",
	}
}
