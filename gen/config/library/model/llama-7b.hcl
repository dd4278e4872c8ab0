# SPDX-License-Identifier: Apache-2.0

model "llama-7b" {
  title    = "LLaMA-7B"
  layers   = 32
  d_model  = 4096
  heads    = 32
  d_ff     = 11008
  gated    = true
  vocab    = 32000
  context  = 2048
  source   = "LLaMA (Touvron et al., 2023, arXiv 2302.13971), table 2"

  published { # what the figures of PIM-LLM (arXiv 2504.01994) were computed with
    order = 6
    gated = false # the third matrix of the feed-forward block was left out
  }
}
