# SPDX-License-Identifier: Apache-2.0

model "trilm-3.9b" {
  title    = "TriLM 3.9B"
  layers   = 30
  d_model  = 3072
  heads    = 24
  d_ff     = 9216
  gated    = true
  vocab    = 50688
  context  = 2048
  source   = "Spectra (Kaushal et al., 2024, arXiv 2407.12327); config.json of huggingface.co/SpectraSuite/TriLM_3.9B_Unpacked; trained on sequences of 2,048 tokens"
}
