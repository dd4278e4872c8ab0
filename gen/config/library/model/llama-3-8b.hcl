# SPDX-License-Identifier: Apache-2.0

model "llama-3-8b" {
  title    = "LLaMA-3 8B"
  layers   = 32
  d_model  = 4096
  heads    = 32
  kv_heads = 8
  d_ff     = 14336
  gated    = true
  vocab    = 128256
  context  = 8192
  source   = "The Llama 3 herd of models (2024, arXiv 2407.21783), table 3; params.json of Meta-Llama-3-8B (ffn_dim_multiplier 1.3, multiple_of 1024: 14,336 hidden channels)"
}
