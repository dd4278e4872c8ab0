package icarus_test

import (
	"testing"

	"ohmloom/gen/tools"
	"ohmloom/ir"
	"ohmloom/verify"
	"ohmloom/verify/conform"
	"ohmloom/verify/icarus"
)

func TestConforms(t *testing.T) {
	tools.NeedForTest(t, "iverilog", "vvp")
	conform.Run(t, "icarus", func(d *ir.Design) (verify.Engine, error) {
		return icarus.New(t.Context(), d, icarus.Options{})
	})
}
