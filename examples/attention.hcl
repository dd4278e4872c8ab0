# The attention of a small trained language model, one token after the other: an engine that
# keeps keys and values of all tokens. `ohmloom verify` decodes a text on it, until the ring of
# keys and values has wrapped, and compares every output with the vectors in
# models/nano.golden.json and, between them, with the model's arithmetic.
#
#   ohmloom verify examples/attention.hcl                       all columns work
#   ohmloom verify examples/attention.hcl --var decode=column   one does, as in the paper
#   ohmloom verify examples/attention.hcl --var port_bytes=16   keys and values in external memory
#   ohmloom verify examples/attention.hcl --var model=micro     a larger model
#
# With --stats it prints the cycles of each phase next to their formulas.

technology = "45nm"

variable "decode" {
  type        = string
  default     = "spread"
  description = "decode mode of the engine: spread or column"
}

variable "model" {
  type        = string
  default     = "nano"
  description = "which of the trained models decodes: nano or micro"
}

variable "port_bytes" {
  type        = number
  default     = 0
  description = "bytes a cycle of a port to keys and values in external memory, a multiple of the rows; 0: they are on chip"
}

locals {
  micro = var.model == "micro"
}

chip "attention" {
  clock_mhz = 100

  attention {
    decode = var.decode
    rows   = 8
    cols   = 8

    # The shape of the model: d_model = 64 is 4 heads of 16 channels, 128 is 4 of 32.
    heads         = 4
    kv_heads      = 4 # fewer: several heads share keys and values
    head_channels = local.micro ? 32 : 16
    context       = 128 # from then on the oldest token is forgotten
    layers        = local.micro ? 4 : 2
    bias          = true # scores depend on the distance too, by a table of the model

    # In column mode one score a cycle is all that comes; the softmax then has one lane.
    softmax_lanes = var.decode == "spread" ? 4 : null # 8 scores take the array 2 cycles or more
    heads_ahead   = var.decode == "spread" ? 4 : null # enough to hide the softmax
    port_bytes    = var.decode == "spread" ? var.port_bytes : null
  }
}

verify {
  seed   = 1
  cycles = 2000

  program {
    model  = "models/${var.model}.safetensors"
    golden = "models/${var.model}.golden.json"
  }
}
