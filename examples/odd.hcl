# Sizes that divide nothing: no part of ohmloom may assume a power of two. Warnings about
# the idle turns of converters are expected.

variable "rows" {
  type        = number
  default     = 48
  description = "rows of one crossbar"
}

chip "odd" {
  clock_mhz = 66.6

  attention {
    rows  = 5
    cols  = 7
    max_k = 333
  }

  pim {
    row_blocks = 2 # partial sums of the two are added digitally
    col_blocks = 3
    lanes      = 3

    crossbar {
      rows = var.rows
      cols = 40

      adc {
        bits  = clog2(13 + 1) + 1 # lossless for 13 rows: 2^(bits-1) - 1 >= 13
        share = 7                 # 40 = 5 x 7 + 5
        rows  = 13                # 48 = 3 x 13 + 9
      }
    }
  }
}

verify {
  seed   = 7
  cycles = 1000
}
