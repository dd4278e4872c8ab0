# SPDX-License-Identifier: Apache-2.0
#
# One crossbar as in the PIM-LLM paper (arXiv 2504.01994): 256 x 256 cells, all rows active
# in one conversion, 8-bit converters, each serving two columns: 8 input bits x 2 shares are
# the paper's 16 steps.

chip "paper_crossbar" {
  pim {
    crossbar {
      rows = 256
      cols = 256
      adc {
        bits  = 8
        share = 2
        step  = "clip"
        rows  = 256
      }
    }
  }
}
