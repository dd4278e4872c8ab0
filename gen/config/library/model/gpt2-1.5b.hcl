# SPDX-License-Identifier: Apache-2.0

model "gpt2-1.5b" {
  title    = "GPT2-1.5B"
  layers   = 48
  d_model  = 1600
  heads    = 25
  d_ff     = 6400
  vocab    = 50257
  context  = 1024
  source   = "GPT-2 (Radford et al., 2019), table of sizes"

  published { # what the figures of PIM-LLM (arXiv 2504.01994) were computed with
    order       = 3
    d_ff        = 1600 # the model has 4 x d_model
    pim_d_model = 1792 # the crossbars were simulated wider than the model is
  }
}
