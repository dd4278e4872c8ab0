# The attention of a small trained language model, one token after the other: an engine that
# keeps keys and values of all tokens on chip. `ohmloom verify` decodes a text on it and
# compares every output with the vectors in models/nano.golden.json.
#
#   ohmloom verify examples/attention.hcl                       all columns work
#   ohmloom verify examples/attention.hcl --var decode=column   one does, as in the paper

technology = "45nm"

variable "decode" {
  type        = string
  default     = "spread"
  description = "decode mode of the engine: spread or column"
}

chip "attention" {
  clock_mhz = 100

  attention {
    decode = var.decode
    rows   = 8
    cols   = 8

    # The shape of the model: d_model = 64 is 4 heads of 16 channels.
    heads         = 4
    kv_heads      = 4 # fewer: several heads share keys and values
    head_channels = 16
    context       = 128 # from then on the oldest token is forgotten
    layers        = 2
    bias          = true # scores depend on the distance too, by a table of the model

    # In column mode one score a cycle is all that comes; the softmax then has one lane.
    softmax_lanes = var.decode == "spread" ? 4 : null # 8 scores take the array 2 cycles
    heads_ahead   = var.decode == "spread" ? 4 : null # enough to hide the softmax
  }
}

verify {
  seed   = 1
  cycles = 2000

  program {
    model  = "models/nano.safetensors"
    golden = "models/nano.golden.json"
  }
}
