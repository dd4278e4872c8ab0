# Sizes that divide nothing, three banks, and what devices do to them.

technology = "45nm"

model = "../../../examples/models/nano.safetensors"

variable "decode" { default = "spread" }
variable "engines" { default = 1 }
variable "bits" { default = 8 }
variable "variation" { default = 0 }
variable "noise" { default = 0 }
variable "offset" { default = 0 }

chip "odd" {
  sequencer {}

  pim {
    banks = 3
    tiles = [3, 1]
    pes   = 10
    lanes = 5

    crossbar {
      rows = 48
      cols = 40

      adc {
        bits   = var.bits
        share  = 7
        rows   = 48
        offset = var.offset
        noise  = var.noise
      }

      device {
        variation = var.variation
        seed      = 3
      }
    }
  }

  attention {
    rows    = 5
    cols    = 7 * var.engines
    decode  = var.decode
    engines = var.engines
    context = 128
    bias    = true
  }
}
