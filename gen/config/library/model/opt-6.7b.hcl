# SPDX-License-Identifier: Apache-2.0

model "opt-6.7b" {
  title    = "OPT-6.7B"
  layers   = 32
  d_model  = 4096
  heads    = 32
  d_ff     = 16384
  vocab    = 50272
  context  = 2048
  source   = "OPT (Zhang et al., 2022, arXiv 2205.01068), table 1"

  published { # what the figures of PIM-LLM (arXiv 2504.01994) were computed with
    order = 7
  }
}
