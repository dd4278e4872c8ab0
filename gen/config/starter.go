package config

import _ "embed"

//go:embed starter.hcl
var starter []byte

// Starter returns the commented description that `ohmloom init` writes. It needs no other
// file and loads without a word.
func Starter() []byte { return append([]byte(nil), starter...) }
