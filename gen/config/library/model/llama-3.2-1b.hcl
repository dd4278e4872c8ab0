# SPDX-License-Identifier: Apache-2.0

model "llama-3.2-1b" {
  title    = "LLaMA-3.2 1B"
  layers   = 16
  d_model  = 2048
  heads    = 32
  kv_heads = 8
  d_ff     = 8192
  gated    = true
  vocab    = 128256
  context  = 131072
  source   = "config.json of huggingface.co/meta-llama/Llama-3.2-1B (2024); the same sizes in llama3_2_1b of torchtune (pytorch/torchtune, torchtune/models/llama3_2)"
}
