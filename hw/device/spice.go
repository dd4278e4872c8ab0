package device

import (
	"bufio"
	"fmt"
	"io"
)

// WriteSPICE writes the network as a SPICE netlist for row voltages v [Rows], in units of
// readVolts, with onOhms the resistance of an ON cell: volts and ohms stand in the netlist. The
// current of column c is that through the voltage source Vcol<c>, from the column to ground,
// in ampere: onOhms/readVolts times it is what Currents gives. The analysis is .op; of its
// results only those currents are saved. Cells of conductance 0 and ideal wires are left out,
// the nodes at the ends of an ideal wire being one.
func (n *Network) WriteSPICE(w io.Writer, v []float64, onOhms, readVolts float64) error {
	if err := n.Check(); err != nil {
		return err
	}
	if len(v) != n.Rows || !(onOhms > 0) || !(readVolts > 0) {
		return fmt.Errorf("network: netlist of %d voltages for %d rows, %g ohm, %g V", len(v), n.Rows, onOhms, readVolts)
	}
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "crossbar %d x %d: row wires %g, column wires %g of %g ohm a segment\n", n.Rows, n.Cols, n.RowWire, n.ColWire, onOhms)
	row := func(r, c int) string { // node of the row's wire at column c; -1 is the driver
		if c < 0 || n.RowWire == 0 {
			return fmt.Sprintf("d%d", r)
		}
		return fmt.Sprintf("a%d_%d", r, c)
	}
	col := func(r, c int) string { // node of the column's wire at row r; -1 is the terminal
		if r < 0 || n.ColWire == 0 {
			return fmt.Sprintf("t%d", c)
		}
		return fmt.Sprintf("b%d_%d", r, c)
	}
	for r, volts := range v {
		fmt.Fprintf(b, "Vrow%d d%d 0 %.17g\n", r, r, volts*readVolts)
	}
	for c := range n.Cols {
		fmt.Fprintf(b, "Vcol%d t%d 0 0\n", c, c)
	}
	for r := range n.Rows {
		for c := range n.Cols {
			if n.RowWire > 0 {
				fmt.Fprintf(b, "Rrow%d_%d %s %s %.17g\n", r, c, row(r, c-1), row(r, c), n.RowWire*onOhms)
			}
			if n.ColWire > 0 {
				fmt.Fprintf(b, "Rcol%d_%d %s %s %.17g\n", r, c, col(r-1, c), col(r, c), n.ColWire*onOhms)
			}
			if g := n.G[r*n.Cols+c]; g > 0 {
				fmt.Fprintf(b, "Rcell%d_%d %s %s %.17g\n", r, c, row(r, c), col(r, c), onOhms/g)
			}
		}
	}
	fmt.Fprintln(b, ".op")
	for c := range n.Cols {
		fmt.Fprintf(b, ".save i(Vcol%d)\n", c)
	}
	fmt.Fprintln(b, ".end")
	return b.Flush()
}
