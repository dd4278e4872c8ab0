# SPDX-License-Identifier: Apache-2.0

model "opt-2.7b" {
  title    = "OPT-2.7B"
  layers   = 32
  d_model  = 2560
  heads    = 32
  d_ff     = 10240
  vocab    = 50272
  context  = 2048
  source   = "OPT (Zhang et al., 2022, arXiv 2205.01068), table 1"

  published { # what the figures of PIM-LLM (arXiv 2504.01994) were computed with
    order = 5
  }
}
