# SPDX-License-Identifier: Apache-2.0

model "gpt2-774m" {
  title    = "GPT2-774M"
  layers   = 36
  d_model  = 1280
  heads    = 20
  d_ff     = 5120
  vocab    = 50257
  context  = 1024
  source   = "GPT-2 (Radford et al., 2019), table of sizes"

  published { # what the figures of PIM-LLM (arXiv 2504.01994) were computed with
    order = 2
    d_ff  = 1280 # the model has 4 x d_model
  }
}
