# Two banks that hold every projection of a small trained language model. `ohmloom build` draws
# which matrix is where; `ohmloom verify` runs all of them, every layer, through the Verilog and
# compares each result with the vectors in models/nano.golden.json.

technology = "45nm"

variable "model" { default = "nano" } # --var model=micro --var tiles=12

variable "tiles" { default = 3 } # columns of tiles of a bank

variable "writable" { default = false } # --var writable=true: weights come in through ports, and verify programs them

chip "banks" {
  clock_mhz = 100

  pim {
    banks  = 2
    tiles  = [1, var.tiles] # rows and columns
    pes    = 4              # of a tile, round one router
    lanes  = 8              # elements a cycle on the way in and out
    buffer = 512            # int8 elements of a bank's global buffer

    crossbar {
      rows = 128 # so that 128 rows can convert at once
      cols = 64

      writable = var.writable

      adc {
        bits  = 8 # 2^7 - 1 = 127 >= 64 rows: lossless
        share = 8
        step  = "clip"
        rows  = 64
      }
    }
  }
}

verify {
  seed   = 1
  cycles = 2000

  program {
    model  = "models/${var.model}.safetensors"
    golden = "models/${var.model}.golden.json"

    case {
      rows = 128
      bits = 5
    }
    case {
      rows = 64
      bits = 4
    }
  }
}
