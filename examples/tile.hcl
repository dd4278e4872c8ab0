# One compute tile with a trained matrix in it: the query projection of a small ternary
# language model. `ohmloom verify` runs golden activations through the Verilog and compares
# every bit with the vectors in models/nano.golden.json.

technology = "45nm"

locals {
  d_model = 64 # width of the model: the matrix has 64 inputs and 64 outputs
}

chip "tile" {
  clock_mhz = 100

  # The digital half: int8 x int8 MatMuls of attention.
  attention {
    rows = 8
    cols = 8
  }

  # The analog half: one crossbar holds the whole matrix.
  pim {
    row_blocks = 1
    col_blocks = 1

    crossbar {
      rows = local.d_model
      cols = local.d_model

      adc {
        bits  = 8 # 2^7 - 1 = 127 >= 64 rows: lossless
        share = 8 # eight columns take turns at one converter
        step  = "clip"
        rows  = 64
      }
    }
  }
}

verify {
  seed   = 1
  cycles = 100000 # in lockstep: half random, half extreme

  program {
    model  = "models/nano.safetensors"
    tensor = "layers.0.wq"
    golden = "models/nano.golden.json"

    # Converters too narrow on purpose: what they lose must be lost alike everywhere.
    case {
      rows = 64
      bits = 4
    }
    case {
      rows = 128 # more than the matrix has inputs: one conversion takes them all
      bits = 5
    }
    case {
      rows = 64
      bits = 7
    }
  }
}
