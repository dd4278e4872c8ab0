package hw

import (
	"fmt"

	"ohmloom/hw/device"
	"ohmloom/ir"
)

// Bank is a bank of the PIM side: a global buffer, a controller, a grid of Rows x Cols tiles
// of PEs crossbar PEs each, post-processing and an output buffer. It multiplies int8 vectors
// with the ternary matrices of Program, which are spread over its PEs.
//
// An operation is one input vector of K elements and all matrices that multiply it, such as
// Q, K and V, which run in parallel. A matrix is cut into blocks of Crossbar.Rows inputs and
// Crossbar.Cols outputs, each block in any PE of its own; the last ones are filled up with
// zeros. The vector passes every tile, which hands each row block to the PEs that hold a
// part of it. When all have converted, the column blocks leave one after the other: the PEs
// of a column block give their sums at the same time to the routers, which add up what comes
// from all over the bank.
//
// Streams: cmd (op) begins operation op; x takes its vector, ceil(K/Lanes) beats; y gives the
// matrices one after the other, each beginning with a beat of its own, ceil(N/Lanes) beats of
// int16, last in the last of each. Vectors are filled up with zeros, which x must have. What
// a result is, the matrix's Post says. A bank may have a norm; see BankNorm.
//
// Which PE holds what, scales, modes and the order of results are loaded tables: another
// model or placement, within the sizes of the tables, changes nothing in the structure.
//
// Weights also come in through a port when the crossbars are Writable: stream weights (tile_row,
// tile_col, pe, row, data) has a row of a crossbar in ceil(Crossbar.Cols/Lanes) beats, int2 of -1,
// 0 and 1, column i in lane i % Lanes; the place is that of the last beat. Stream written tells
// for each row, in order, the place again, error (see RowErrors), the pairs that failed and the pulses.
// A row is written, by a row writer as in WritablePE, when no operation works, and none begins while
// it waits or is written; so a row and an operation that wait at the same time take turns. Who
// wants an operation to have the new weights begins it when they are written.
//
// Time: see OpTime. The vector of the next operation is distributed while results leave.
type Bank struct {
	Rows, Cols int        // tiles of the grid, 1..64 each way
	PEs        int        // of a tile, 1..64
	Lanes      int        // elements of a beat, 1..64
	Ops        int        // words of the operation table, 1..1024
	Blocks     int        // words of the tables of row blocks, one for each of an operation, 1..4096
	Reads      int        // words of the tables of column blocks, one for each of a matrix, 1..4096
	Buffer     int        // beats of the global buffer, 2..65536
	Crossbar   Crossbar   // of every PE; ID is that of PE 0, the others follow
	Act        Activation // of PostActivate; Lanes is left 0
	Norm       BankNorm   // of PostNorm; none unless given

	// What follows is not part of the structure.
	Program []BankOp
	blank   bool          // no weights are loaded
	cells   writtenTables // of PEs that were programmed
}

// writtenTables is the tables of PEs by their number.
type writtenTables map[int]*device.Tables

// Post is what becomes of the sums of a matrix, scaled by its M and S.
type Post int

const (
	Post8        Post = iota // int8, saturated to +-127
	PostActivate             // int8, then the bank's activation function
	Post16                   // int16, saturated to +-32767
	PostNorm                 // int16, then the bank's norm of the whole vector, int8
)

// BankOp is one operation: what multiplies one input vector.
type BankOp struct {
	K        int // elements of the vector
	Matrices []BankMatrix
}

// BankMatrix is a ternary matrix in the PEs of a bank.
type BankMatrix struct {
	Weights [][]int8 // [N][K] of -1, 0, 1
	M, S    int      // scale: 0..255 and 0..31
	Post    Post
	PE      [][]int // [row block][column block]: number of the PE, tile after tile, row after row of tiles
}

// Sizes that follow from the parameters.
func (b Bank) pes() int   { return b.Rows * b.Cols * b.PEs }
func (b Bank) beat() int  { return min(b.Lanes, b.Crossbar.Rows) } // elements of a beat to the PEs
func (b Bank) loads() int { return b.pe().Loads() }                // beats of a row block
func (b Bank) width() int { return min(b.Lanes, b.Crossbar.Converters()) }
func (b Bank) subs() int  { return ceilDiv(b.Crossbar.Converters(), b.width()) }

// flits is how many beats of width sums a PE gives for one vector.
func (b Bank) flits() int { return b.Crossbar.Steps() * b.subs() }

func (b Bank) pe() CrossbarPE { return CrossbarPE{Crossbar: b.Crossbar, Lanes: b.beat()} }

// converting is how many cycles after the last beat of a vector a PE gives its first sums.
func (b Bank) converting() int {
	pe := b.pe()
	one := make([]Beat, pe.Loads())
	return pe.Cycles([][]Beat{one}) - pe.Loads() - b.Crossbar.Steps() + 1
}

// most bounds the sums of one PE.
func (b Bank) most() int { return b.Crossbar.sumMost() }

func (b Bank) peBits() int  { return sbits(-b.most(), b.most()) }
func (b Bank) accBits() int { return sbits(-b.most()*b.pes(), b.most()*b.pes()) }

func (b Bank) activation() Activation {
	a := b.Act
	a.Lanes = b.width()
	return a
}

func (b Bank) suffix() string {
	return fmt.Sprintf("%d_l%d_b%d_r%d_%s", b.PEs, b.Lanes, b.Blocks, b.Reads, b.crossbarSuffix())
}

// crossbarSuffix has the row writer's pulses, too.
func (b Bank) crossbarSuffix() string {
	if b.Crossbar.Writable {
		return fmt.Sprintf("%s_p%d", b.Crossbar.suffix(), b.Crossbar.Pulses)
	}
	return b.Crossbar.suffix()
}

func (b Bank) Name() string {
	act := b.activation()
	return fmt.Sprintf("bank_%dx%dx%s_o%d_g%d_%s%d%s", b.Rows, b.Cols, b.suffix(), b.Ops, b.Buffer, act.Func, act.Shift+act.Fraction, b.normSuffix())
}

func (b Bank) Check() error {
	err := firstError(inRange("bank", "rows of tiles", b.Rows, 1, 64), inRange("bank", "columns of tiles", b.Cols, 1, 64),
		inRange("bank", "PEs of a tile", b.PEs, 1, 64), inRange("bank", "lanes", b.Lanes, 1, 64),
		inRange("bank", "operations", b.Ops, 1, 1024), inRange("bank", "row blocks of all operations", b.Blocks, 1, 4096),
		inRange("bank", "column blocks of all operations", b.Reads, 1, 4096), inRange("bank", "beats of the global buffer", b.Buffer, 2, 65536),
		b.Crossbar.Check(), b.activation().Check(), b.checkNorm())
	if err != nil {
		return err
	}
	if b.accBits() > 32 {
		return fmt.Errorf("bank: sums over %d PEs need %d bits, allowed are 32", b.pes(), b.accBits())
	}
	return b.checkProgram()
}

func (b Bank) Streams() (in, out []Stream) {
	cmd := Stream{Name: "cmd", Doc: "begins an operation", Fields: []Field{{"op", ir.Bits(ir.ClogTwo(b.Ops)), false, "word of the operation table"}}}
	x := Stream{Name: "x", Doc: "input vectors", Fields: []Field{{"data", ir.Vec(b.Lanes, 8), true, "int8 elements"}}}
	y := Stream{Name: "y", Doc: "results, matrix after matrix", Fields: []Field{
		{"data", ir.Vec(b.Lanes, 16), true, "int16 results"},
		{"last", ir.Bits(1), false, "1 in the last beat of a matrix"},
	}}
	in, out = []Stream{cmd, x}, []Stream{y}
	if b.Crossbar.Writable {
		in, out = append(in, b.weightsStream()), append(out, b.writtenStream())
	}
	return in, out
}

func (b Bank) Build(lib *Lib) *ir.Module {
	must(b)
	doc := fmt.Sprintf("Bank of %d x %d tiles of %d PEs; a vector is distributed %d elements a cycle, sums leave %d a cycle.",
		b.Rows, b.Cols, b.PEs, b.beat(), b.width())
	return lib.module("bank", b.Name(), doc, func(m *ir.Module) {
		in, out := b.Streams()
		cmd, x := input(m, in[0]), input(m, in[1])
		take := output(m, out[0])

		global := m.Instance("u_global_buffer", Fifo{Depth: b.Buffer, Lanes: b.Lanes, Width: 8}.Build(lib)).
			In("x_valid", x.valid).In("x_data", x.fields[0])
		x.ready(m.OutOf(global, "x_ready"))
		control := m.Instance("u_control", b.controller(lib)).
			In("cmd_valid", cmd.valid).In("cmd_op", cmd.fields[0]).
			In("x_valid", m.OutOf(global, "y_valid")).In("x_data", m.OutOf(global, "y_data"))
		cmd.ready(m.OutOf(control, "cmd_ready"))
		global.In("y_ready", m.OutOf(control, "x_ready"))

		var writer *ir.Inst
		if b.Crossbar.Writable {
			writer = m.Instance("u_writer", b.writerModule(lib)).In("quiet", m.OutOf(control, "quiet"))
			passIn(m, writer, in[2], in[2].Name)
			passOut(m, writer, out[1], out[1].Name)
			control.In("holds", m.OutOf(writer, "holds"))
		}
		post := m.Instance("u_post", b.postProcessing(lib)).In("sum", b.tiles(lib, m, control, writer))
		for _, port := range metaPorts {
			post.In("meta_"+port, m.OutOf(control, "meta_"+port))
		}
		control.In("free", m.OutOf(post, "free"))
		if !b.normalises() {
			post.In("y_ready", take)
			drive(m, out[0], m.OutOf(post, "y_valid"), m.OutOf(post, "y_data"), m.OutOf(post, "y_last"))
			return
		}
		norm := m.Instance("u_norm", b.normStage(lib)).In("y_ready", take)
		for _, port := range []string{"valid", "norm", "data", "last"} {
			norm.In("x_"+port, m.OutOf(post, "y_"+port))
		}
		post.In("y_ready", m.OutOf(norm, "x_ready"))
		control.In("norm_done", m.OutOf(norm, "done"))
		drive(m, out[0], m.OutOf(norm, "y_valid"), m.OutOf(norm, "y_data"), m.OutOf(norm, "y_last"))
	})
}

// tiles is the grid and the adders behind it. Beats and reads move from west to east in each
// row of tiles, one tile a cycle, and so do the sums, which each tile adds to; at the east
// edge the rows are added.
func (b Bank) tiles(lib *Lib, m *ir.Module, control, writer *ir.Inst) *ir.Node {
	grid := m.Array("tile", b.tile(lib), b.Rows, b.Cols)
	for _, port := range tilePorts {
		grid.Chain(port, port+"_east", ir.West, tiled(m.OutOf(control, port), b.Rows))
	}
	if writer != nil {
		b.writeTiles(m, writer, grid)
	}
	grid.Chain("sum", "sum_east", ir.West, m.K(b.accBits(), 0).Splat(b.Rows*b.width()))
	sums := m.Edge(grid, "sum_east", ir.East)
	rows := make([]*ir.Node, b.Rows)
	for r := range rows {
		rows[r] = sums.Elems(r*b.width(), b.width())
	}
	for level := 1; len(rows) > 1; level++ {
		var next []*ir.Node
		for i := 0; i < len(rows); i += 2 {
			sum := rows[i]
			if i+1 < len(rows) {
				sum = sum.Add(rows[i+1])
			}
			next = append(next, m.DataReg(fmt.Sprintf("rows_%d_%d", level, i/2), sum.Type).Set(sum))
		}
		rows = next
	}
	return rows[0]
}

// rowLevels is the number of stages in which the rows of tiles are added.
func (b Bank) rowLevels() int {
	n := 0
	for 1<<n < b.Rows {
		n++
	}
	return n
}

// network is how many cycles after the controller gave a read its sums are at the
// post-processing: one a tile, two in each tile and the adders of the rows.
func (b Bank) network() int { return b.Cols + 2 + b.rowLevels() }
