# SPDX-License-Identifier: Apache-2.0

model "gpt2-350m" {
  title    = "GPT2-350M"
  layers   = 24
  d_model  = 1024
  heads    = 16
  d_ff     = 4096
  vocab    = 50257
  context  = 1024
  source   = "GPT-2 (Radford et al., 2019), table of sizes"

  published { # what the figures of PIM-LLM (arXiv 2504.01994) were computed with
    order = 1
    d_ff  = 1024 # the model has 4 x d_model
  }
}
