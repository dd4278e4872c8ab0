// Package examples carries the description that ohmloom works on when none is given, with
// the trained model it programs, so that the binary needs no other file.
package examples

import "embed"

// Default is the description's name in FS.
const Default = "tile.hcl"

//go:embed tile.hcl models/nano.safetensors models/nano.golden.json
var FS embed.FS
