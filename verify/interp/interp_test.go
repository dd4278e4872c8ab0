package interp_test

import (
	"testing"

	"ohmloom/ir"
	"ohmloom/verify"
	"ohmloom/verify/conform"
	"ohmloom/verify/interp"
)

func newEngine(d *ir.Design) (verify.Engine, error) { return interp.New(d) }

func TestConforms(t *testing.T) { conform.Run(t, "interp", newEngine) }
