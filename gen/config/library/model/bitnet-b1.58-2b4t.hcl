# SPDX-License-Identifier: Apache-2.0

model "bitnet-b1.58-2b4t" {
  title    = "BitNet b1.58 2B4T"
  layers   = 30
  d_model  = 2560
  heads    = 20
  kv_heads = 5
  d_ff     = 6912
  gated    = true
  vocab    = 128256
  context  = 4096
  source   = "BitNet b1.58 2B4T technical report (Ma et al., 2025, arXiv 2504.12285); config.json of huggingface.co/microsoft/bitnet-b1.58-2B-4T, whose sizes are the defaults of BitNetConfig in transformers; context of its model card"
}
