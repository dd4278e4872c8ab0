# Decode attention at the size of the PIM-LLM paper (arXiv 2504.01994): a 32 x 32 array at
# 100 MHz and one layer with the 32 heads of 128 channels that LLaMA-7B and OPT-6.7B have.
#
# With 128 tokens the paper counts 48,576 cycles a layer for its mapping (--var
# decode=column), most of them fill and drain; spread takes 1,046.
#
#   ohmloom verify --stats examples/attention_paper.hcl                          cycles, phase by phase
#   ohmloom area --timing --compare decode=column examples/attention_paper.hcl   area and paths of both

technology = "45nm"

variable "decode" {
  type        = string
  default     = "spread"
  description = "decode mode of the engine: spread or column"
}

variable "context" {
  type        = number
  default     = 128
  description = "tokens that attention looks back on; 8192 still fit on chip"
}

chip "attention_paper" {
  clock_mhz = 100

  attention {
    decode        = var.decode
    rows          = 32
    cols          = 32
    heads         = 32
    head_channels = 128
    context       = var.context

    # To keep the cache of long texts in external memory, add
    #   port_bytes = 256 # LPDDR5-6400 x32 at 100 MHz
  }
}

verify {
  seed   = 1
  cycles = 500 # large design: fewer random cycles
}
