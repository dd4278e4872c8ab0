// Package examples carries the descriptions that ohmloom works on when none is given, with
// the trained model it programs and a text that model was not trained on, so that the binary
// needs no other file.
package examples

import "embed"

// Names in FS.
const (
	Default = "tile.hcl"                // the description
	Whole   = "nano.hcl"                // a whole chip, which `run` takes when none is given
	Sweep   = "sweep.hcl"               // one with a design space
	Model   = "models/nano.safetensors" // its model
	Text    = "models/heldout.txt"      // held back from the model's training
)

//go:embed tile.hcl nano.hcl sweep.hcl models/nano.safetensors models/nano.golden.json models/heldout.txt
var FS embed.FS
