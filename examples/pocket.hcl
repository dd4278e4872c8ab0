# A chip with the multipliers, clock and crossbars of the PIM-LLM paper (arXiv 2504.01994) and room
# for a whole language model, to estimate; chips as large as this are not built.
#
#   ohmloom estimate examples/pocket.hcl
#   ohmloom estimate examples/pocket.hcl --why tokens_per_second
#   ohmloom estimate examples/pocket.hcl --model opt-6.7b --var banks=48 --context 1024
#   ohmloom estimate examples/pocket.hcl --var banks=1 --chips 9           chips that share the model

technology = "45nm"
model      = "opt-1.3b" # of the library; heads and layers of the engine are the model's

variable "banks" { default = 9 }

chip "pocket" {
  clock_mhz = 100

  attention {
    rows        = 32
    cols        = 32
    decode      = "spread"
    context     = 4096
    heads_ahead = 8
    port_bytes  = 256 # keys and values in LPDDR5-6400 x32: 25.6 GB/s at 100 MHz
  }

  pim {
    banks = var.banks
    tiles = [8, 16]
    pes   = 16 # 2,048 crossbars a bank
    lanes = 64 # elements a cycle on the way in and out

    crossbar {
      rows = 256
      cols = 256

      adc {
        bits  = 8
        share = 2
        rows  = 64 # lossless: 2^7 - 1 = 127 >= 64 rows
      }
    }
  }
}
