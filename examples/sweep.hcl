# A design space: chips for OPT-6.7B round the size of the PIM-LLM paper (arXiv 2504.01994). A
# model of this size needs many such chips; they share its matrices.
#
#   ohmloom sweep examples/sweep.hcl                    every point, and the front
#   ohmloom sweep --var rows=32 examples/sweep.hcl      the points with 32 rows
#   ohmloom sweep --verify examples/sweep.hcl           chips of the front in RTL, scaled down
#   ohmloom report examples/sweep.hcl                   one page with all of it
#
# An axis is a variable of the description; everything may depend on it.

technology = "45nm"
model      = "opt-6.7b"

variable "rows" { default = 32 }      # PEs of the attention array
variable "cols" { default = 32 }
variable "engines" { default = 2 }    # attention engines side by side
variable "port_cols" { default = 8 }  # columns that the memory port fills in a cycle
variable "share" { default = 2 }      # crossbar columns a converter
variable "active" { default = 256 }   # crossbar rows a conversion
variable "lanes" { default = 64 }     # elements a cycle of the network
variable "context" { default = 1024 } # tokens in the KV cache

chip "edge_llm" {
  clock_mhz = 100

  attention {
    decode     = "spread"
    rows       = var.rows
    cols       = var.cols
    engines    = var.engines
    context    = 4096
    port_bytes = var.rows * var.port_cols # 256 a cycle is LPDDR5-6400 x32
  }

  pim {
    banks  = 1
    tiles  = [8, 8]
    pes    = 16
    lanes  = var.lanes
    buffer = 16384

    crossbar {
      rows = 256
      cols = 256

      adc {
        bits  = clog2(var.active) + 2 # lossless
        share = var.share
        rows  = var.active
      }
    }
  }
}

sweep {
  vary "rows" { values = [8, 16, 32, 64] }
  vary "cols" {
    from = 16
    to   = 64
    step = 16
  }
  vary "engines" { values = [1, 2, 4] }
  vary "port_cols" {
    from   = 1
    to     = 16
    factor = 2
  }
  vary "share" {
    from   = 1
    to     = 8
    factor = 2
  }
  vary "active" { values = [64, 128, 256] }
  vary "lanes" { values = [16, 24, 32, 48, 64] }

  context = var.context
  where = [
    var.rows * var.port_cols <= 512,   # bytes a cycle that memory can give
    var.port_cols % var.engines == 0,  # whole columns for each engine
    var.cols % var.port_cols == 0,
  ]
  objectives = ["tokens_per_second", "joules_per_token", "pes"]
}
