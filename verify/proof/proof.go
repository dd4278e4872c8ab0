// Package proof holds the tests that judge the whole path at once: random designs in every
// engine, mutated designs that co-simulation must catch, netlists proven equal to the
// Verilog, and area against a flat run. It has no code of its own.
//
// With OHMLOOM_NIGHTLY set the tests also do what takes too long for every run: larger random
// designs from a fresh seed (OHMLOOM_SEED repeats one), more mutants, larger modules.
package proof
