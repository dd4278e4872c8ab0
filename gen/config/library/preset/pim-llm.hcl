# SPDX-License-Identifier: Apache-2.0
#
# The two halves of the PIM-LLM paper (arXiv 2504.01994): a 32 x 32 output-stationary array
# at 100 MHz beside a 256 x 256 crossbar.

include "paper-crossbar" {}

technology = "45nm"

chip "pim_llm" {
  clock_mhz = 100

  attention {
    rows     = 32
    cols     = 32
    dataflow = "output_stationary"
  }
}
