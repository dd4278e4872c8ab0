package pass

import (
	"fmt"
	"strings"

	"ohmloom/ir"
)

// share lets nodes that compute the same from the same operands be one, the first of them.
func share(m *ir.Module) {
	first := map[string]*ir.Node{}
	r := replacement{}
	for _, n := range m.Nodes {
		r.args(n)
		key := shareKey(n)
		if key == "" {
			continue
		}
		if old := first[key]; old != nil {
			r.replace(n, old)
			continue
		}
		first[key] = n
	}
	r.finish(m)
}

// shareKey is equal for nodes that can be shared; "" for those that cannot.
func shareKey(n *ir.Node) string {
	switch n.Op.(type) {
	case ir.Input, ir.RegOut, ir.MemOut:
		return ""
	case ir.Const:
		if n.Type.Total() > foldLimit {
			return ""
		}
	}
	args := n.Args
	if len(args) == 2 && commutes(n.Op) && args[1].ID < args[0].ID {
		args = []*ir.Node{args[1], args[0]}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%T%v %v", n.Op, n.Op, n.Type)
	for _, a := range args {
		fmt.Fprintf(&b, " %d", a.ID)
	}
	return b.String()
}

func commutes(op ir.Op) bool {
	switch op := op.(type) {
	case ir.Binary:
		return op.Kind != ir.Sub
	case ir.Compare:
		return op.Kind == ir.Eq || op.Kind == ir.Ne
	}
	return false
}
