# The chip of nano.hcl for a model eight times as large: four layers of 128 channels, on larger
# crossbars.

technology = "45nm"

model = "models/micro.safetensors"

variable "decode" { default = "spread" } # --var decode=column
variable "array" { default = 8 }         # PEs of the attention array each way

chip "micro" {
  clock_mhz = 100

  sequencer {
    words         = 256 # instructions
    buffers       = 12  # vectors on their way between units
    prefill_block = 4   # tokens of a prompt side by side
    # Elements of the embedding table that the output head takes in a cycle, on the attention array.
    head_lanes = min(64, var.decode == "column" ? var.array : var.array * var.array)
  }

  host { # the chip's ports: AXI4-Lite registers and an AXI4 master
    data_bits = 512
  }

  pim {
    banks = 1
    tiles = [2, 4]
    pes   = 6  # of a tile: one crossbar each
    lanes = 16 # elements a cycle between units

    crossbar {
      rows = 128
      cols = 128

      adc {
        bits  = 8 # 2^7 - 1 = 127 >= 64 rows: lossless
        share = 8
        step  = "clip"
        rows  = 64
      }
    }
  }

  attention {
    rows    = var.array
    cols    = var.array
    decode  = var.decode
    context = 128
    bias    = true
  }
}

verify {
  seed   = 1
  cycles = 200

  program {
    model  = "models/micro.safetensors"
    golden = "models/micro.golden.json"
  }
}
