# SPDX-License-Identifier: Apache-2.0

model "opt-1.3b" {
  title    = "OPT-1.3B"
  layers   = 24
  d_model  = 2048
  heads    = 32
  d_ff     = 8192
  vocab    = 50272
  context  = 2048
  source   = "OPT (Zhang et al., 2022, arXiv 2205.01068), table 1"

  published { # what the figures of PIM-LLM (arXiv 2504.01994) were computed with
    order = 4
  }
}
