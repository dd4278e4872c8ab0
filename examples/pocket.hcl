# A chip for language models at the size of the PIM-LLM paper (arXiv 2504.01994), to estimate:
#
#   ohmloom estimate examples/pocket.hcl --chips 18                      18 chips hold the model
#   ohmloom estimate examples/pocket.hcl --chips 18 --why tokens_per_second
#   ohmloom estimate examples/pocket.hcl --chips 21 --model gpt2-774m --context 1024

technology = "45nm"
model      = "opt-1.3b" # of the library; heads and layers of the engine are the model's

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
    banks = 4
    tiles = [4, 4]
    pes   = 16 # 1,024 crossbars in all
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
