# The array and the crossbar of the PIM-LLM paper (arXiv 2504.01994) at full size.
#
# `ohmloom check` warns about this one, and rightly: with all 256 rows active at once, 8-bit
# converters clip the largest sums. The warning says what that costs.

include "pim-llm" {} # 32 x 32 PEs, 256 x 256 cells, 8-bit converters, 100 MHz, 45 nm

# What stands here is merged over the preset; add blocks and attributes to change it.
chip "paper" {
}

verify {
  seed   = 1
  cycles = 500 # large design: fewer random cycles
}
