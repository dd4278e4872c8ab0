package rtl

// The Verilog model: what legalise decides and print writes down. Every expression has the
// exact width of the place it stands in, so no Verilog context can widen it.

// net is a named wire, reg or port of one module.
type net struct {
	name   string
	width  int // total bits
	used   []uint64
	isPort bool
}

// view is a vector of n elements of w bits inside a net: element i is bits
// stride*i+off .. stride*i+off+w-1.
type view struct {
	net         *net
	off, stride int
	n, w        int
}

func whole(t *net, n, w int) view { return view{net: t, stride: w, n: n, w: w} }

// packed reports whether the elements stand side by side.
func (v view) packed() bool { return v.n == 1 || v.stride == v.w }

// expr is a Verilog expression.
type expr interface{}

type (
	// bitsOf is bits lo .. lo+w-1 of a net; all of it when w is the net's width.
	bitsOf struct {
		net   *net
		lo, w int
	}
	// laneOf is element i of a view, i being the loop variable v.
	laneOf struct {
		view
		v string
	}
	// pickOf is the element of a view with the index given by an expression.
	pickOf struct {
		view
		index expr
	}
	// groupOf is w bits of a net from bit base + lo on, base a printed sum of loop variables
	// that takes count values, step bits apart.
	groupOf struct {
		net         *net
		base        string
		lo, w       int
		count, step int
	}
	// wordOf is a word of a memory.
	wordOf struct {
		mem   *memory
		index expr
	}
	lit struct {
		w int
		v uint64
	}
	// vecLit is a vector of constants.
	vecLit struct {
		w int
		v []uint64 // element 0 first
	}
	cat struct{ parts []expr }
	rep struct {
		n int
		x expr
	}
	unary struct {
		op string
		x  expr
	}
	binop struct {
		op   string
		x, y expr
	}
	cond struct{ s, a, b expr }
	call struct {
		fn   string
		args []expr
	}
	// plain is an unsized decimal number: a shift amount.
	plain struct{ v int }
)

// item is one piece of a module's body.
type item interface{}

type (
	// decl declares a net, with its value when x is not nil.
	decl struct {
		kind string // "wire" or "reg"
		net  *net
		x    expr
		note string
	}
	// assign drives a net declared before.
	assign struct {
		dst expr
		x   expr
	}
	// loop drives the elements of vectors, one assignment each, in a generate loop.
	loop struct {
		block, v string
		n        int
		body     []assign
	}
	// memory declares a memory.
	memory struct {
		name         string
		width, depth int
		note         string
		used         bool // a word is read
	}
	// instance is one instance, or with loops a grid.
	instance struct {
		module, name       string
		note               string
		rowBlock, colBlock string // "" when there is no such loop
		rowVar, colVar     string
		rows, cols         int
		rowBody            []assign // assignments made in each row
		pins               []pin
	}
	pin struct {
		out  bool
		port string
		x    expr
	}
	// clocked is an always block: registers that share reset and enable.
	clocked struct {
		note  string
		rst   expr // nil: without reset
		reset []assign
		en    expr // nil: always
		next  []assign
	}
	// lines is text decided elsewhere: functions and power-on blocks.
	lines struct{ text []string }
)

// portLine is one port in the header.
type portLine struct {
	dir   string
	net   *net
	doc   string
	group string
}

// module is a whole file.
type module struct {
	name     string
	ports    []portLine
	genvar   []string
	state    []item // declarations of what is defined further down
	funcs    []item
	body     []item
	insts    []item
	clock    []item
	rom      []string // fixed contents of memories, statements
	power    []string // simulation only
	macro    bool
	tail     []item // what is left open
	usesInit bool   // power calls ohmloom_init
}
