# SPDX-License-Identifier: Apache-2.0

model "micro" {
  title    = "micro"
  layers   = 4
  d_model  = 128
  heads    = 4
  d_ff     = 512
  vocab    = 65
  context  = 128
  source   = "examples/models/README.md"
}
