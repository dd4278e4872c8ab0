package vlog

import "ohmloom/ir"

func memh(t ir.Type, d []uint64) string { return "" }
