package verilated_test

import (
	"testing"

	"ohmloom/gen/tools"
	"ohmloom/ir"
	"ohmloom/verify"
	"ohmloom/verify/conform"
	"ohmloom/verify/verilated"
)

func TestConforms(t *testing.T) {
	tools.NeedForTest(t, "verilator", "g++")
	conform.Run(t, "verilated", func(d *ir.Design) (verify.Engine, error) {
		return verilated.New(t.Context(), d, verilated.Options{})
	})
}
