package rtl

import (
	"fmt"

	"ohmloom/ir"
)

// Stored is the form in which the Verilog of module m keeps memory mem, and its table in a file:
// depth and type of a word. Contents are in the same order. A macro's loaded table that only
// column sums over its single bits read has a column a word, so that simulators need not take
// long words apart; every other memory is as the IR has it.
func Stored(m *ir.Module, mem *ir.Mem) (depth int, t ir.Type) {
	depth, t = mem.Depth, mem.Type
	if m.Macro == nil || !isTable(mem) || t.W != 1 || mem.Q != nil || mem.WEn != nil {
		return depth, t
	}
	k := 0 // rows of a column
	for _, n := range m.Nodes {
		_, sum := n.Op.(ir.MaskedSum)
		for i, a := range n.Args {
			read, ok := a.Op.(ir.MemRead)
			switch {
			case !ok || read.Mem != mem:
			case !sum || i != 1 || k != 0 && k != n.Args[0].Type.N:
				return depth, t
			default:
				k = n.Args[0].Type.N
			}
		}
	}
	for _, p := range m.Ports {
		if read, ok := p.Node.Op.(ir.MemRead); ok && read.Mem == mem {
			return depth, t
		}
	}
	if k == 0 || k == t.N {
		return depth, t
	}
	return depth * (t.N / k), ir.Vec(k, 1)
}

// columns is the memory that a column sum reads a column a word, or nil.
func (b *builder) columns(n *ir.Node) *ir.Mem {
	read, ok := n.Args[1].Op.(ir.MemRead)
	if !ok {
		return nil
	}
	if depth, _ := Stored(b.m, read.Mem); depth == read.Mem.Depth {
		return nil
	}
	return read.Mem
}

// memorySum is a column sum over the columns in a memory. Its function reads the memory itself;
// a simulator that waits for its arguments to change sees the tables come in by their being
// ready.
func (b *builder) memorySum(n *ir.Node, mem *ir.Mem, isSigned bool) expr {
	k, g, to := n.Args[0].Type.N, n.Type.N, n.Type.W
	store := b.mems[b.memIndex(mem)]
	store.used = true
	aw := ir.ClogTwo(mem.Depth)
	fn := b.function("column_sums", fmt.Sprint("memory sum", store.name, k, g, to, isSigned), func(name string) []string {
		read := fmt.Sprintf("%s[%d*{%d'd0, `word`} + `g`]", store.name, g, 32-aw)
		return append([]string{
			fmt.Sprintf("// Sums of the cells under the mask: %d columns of %d in %s.", g, k, store.name),
			fmt.Sprintf("function [%d:0] %s;", g*to-1, name),
			fmt.Sprintf("  input [%d:0] `mask`;", k-1),
			fmt.Sprintf("  input [%d:0] `word`;", aw-1),
			"  input `ready`;",
			"  integer `g`;",
		}, b.columnCounts(name, k, g, to, isSigned, "`ready` & (|`mask`)", read)...)
	})
	guard, index := b.index(n.Args[1].Args[0], mem.Depth)
	mask := b.expr(n.Args[0])
	if guard != nil {
		mask = cond{guard, mask, lit{k, 0}}
	}
	return call{fn, []expr{mask, index, bitsOf{b.tablesReady(), 0, 1}}}
}

// tablesReady is a register that is set when memories have their power-on contents.
func (b *builder) tablesReady() *net {
	if b.ready == nil {
		b.ready = &net{name: b.names.pick("tables_ready"), width: 1, used: []uint64{1}}
		b.out.state = append(b.out.state, decl{kind: "reg", net: b.ready, note: "memories have their contents"})
	}
	return b.ready
}
