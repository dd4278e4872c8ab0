# A hybrid accelerator for 1-bit language models, described for ohmloom.
#
#   ohmloom check  FILE     every mistake at once
#   ohmloom build  FILE     Verilog
#   ohmloom verify FILE     the Verilog against the Go models, bit for bit
#   ohmloom area   FILE     what it takes on silicon
#
# Values may be expressions; --var size=16 changes a variable from the command line.

variable "size" {
  type        = number
  default     = 8
  description = "PEs of the attention array, each way"
}

# What area figures are based on: "45nm", "130nm", or a technology block of your own.
technology = "45nm"

# The name becomes the top module's.
chip "edge_chip" {
  clock_mhz = 100

  # The digital half: an int8 x int8 systolic array for QK^T and softmax(.)V, 1 .. 1,024
  # PEs each way.
  attention {
    rows     = var.size
    cols     = var.size
    dataflow = "output_stationary"
    max_k    = 4096 # largest inner dimension of one fold
  }

  # The analog half: a grid of crossbars that holds one ternary matrix of
  # (row_blocks x rows) inputs and (col_blocks x cols) outputs.
  pim {
    row_blocks = 1
    col_blocks = 1
    lanes      = 8 # elements per beat of the tile's input and output

    crossbar {
      rows = 64
      cols = 64

      adc {
        bits  = 8      # signed; 8 bits tell every sum of 64 rows
        share = 8      # columns per converter
        step  = "clip" # 1 LSB is one ON cell; or "full" (full scale is all rows), or "ideal"
        rows  = 64     # rows active per conversion
      }
    }
  }
}

verify {
  cycles = 2000 # random cycles after the directed ones
  seed   = 1
}
