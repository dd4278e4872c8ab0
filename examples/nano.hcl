# A whole chip that writes text: PIM banks hold every matrix of a small trained language model,
# an attention engine its keys and values, and a program runs them. `ohmloom run` lets it write,
# in Verilog, and compares every token with the integer arithmetic of the model.

technology = "45nm"

model = "models/nano.safetensors"

variable "decode" { default = "spread" } # --var decode=column
variable "bus" { default = 512 }         # bits of the AXI4 memory port: a row of the table in a beat
variable "kv_port" { default = null }    # --var kv_port=64: keys and values in memory, over a port of so many bytes
variable "writable" { default = false }  # true: weights come in through the chip's port
variable "array" { default = 8 }         # PEs of the attention array each way

chip "nano" {
  clock_mhz = 100

  sequencer {
    words         = 256 # instructions
    buffers       = 12  # vectors on their way between units
    prefill_block = 4   # tokens of a prompt side by side
    # Elements of the embedding table that the output head takes in a cycle, on the attention array.
    head_lanes = min(64, var.decode == "column" ? var.array : var.array * var.array)
  }

  host { # the chip's ports: AXI4-Lite registers and an AXI4 master
    data_bits = var.bus
  }

  pim {
    banks = 1
    tiles = [1, 2]
    pes   = 12 # of a tile: one crossbar each
    lanes = 16 # elements a cycle between units

    crossbar {
      rows = 64
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

  attention {
    rows    = var.array
    cols    = var.array
    decode  = var.decode
    context = 128
    bias    = true

    port_bytes = var.kv_port
  }
}

verify {
  seed   = 1
  cycles = 200

  program {
    model  = "models/nano.safetensors"
    golden = "models/nano.golden.json"
  }
}
