# SPDX-License-Identifier: Apache-2.0

model "nano" {
  title    = "nano"
  layers   = 2
  d_model  = 64
  heads    = 4
  d_ff     = 256
  vocab    = 65
  context  = 128
  source   = "examples/models/README.md"
}
