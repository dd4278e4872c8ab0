# SPDX-License-Identifier: Apache-2.0
#
# 130 nm, close to the default standard cells (180 nm) and to open processes. The analog
# parts are the 45 nm figures' sources, scaled by the square of the feature size: a guess,
# since converters shrink less than that.

technology "130nm" {
  node_nm         = 130
  liberty         = "" # osu018 standard cells (Debian package qflow-tech-osu018)
  liberty_node_nm = 180

  area "adc" {
    value  = 19805
    unit   = "um2"
    kind   = "assumed"
    source = "ISAAC (Shafiee et al., ISCA 2016), 8-bit ADC, 1,200 um2 at 32 nm, times (130/32)^2"
  }
  area "dac" {
    value  = 2.74
    unit   = "um2"
    kind   = "assumed"
    source = "ISAAC (Shafiee et al., ISCA 2016), 1-bit DAC, 0.166 um2 at 32 nm, times (130/32)^2"
  }
  area "cell" {
    value  = 0.1521
    unit   = "um2"
    kind   = "assumed"
    source = "1T1R cell of 9 F^2 at F = 130 nm (access transistor with W/L = 2)"
  }
  area "sram_bit" {
    value  = 3.4742
    unit   = "um2"
    kind   = "fitted"
    source = "IHP sg13g2 SRAM Libertys: 256x64 93,181 um2, 1024x64 263,946 um2; the line through both"
  }
  area "sram_fixed" {
    value  = 36260
    unit   = "um2"
    kind   = "fitted"
    source = "IHP sg13g2 SRAM Libertys: 256x64 93,181 um2, 1024x64 263,946 um2; the line through both"
  }
  area "gate" { # a gate equivalent of synthesised logic
    value  = 12.52
    unit   = "um2"
    kind   = "fitted"
    source = "area of NAND2X1 of osu018, 24 um2 at 180 nm (osu018_stdcells.lib, SHA-256 86f79b2000f1), times (130/180)^2; gates by scripts/energy gates, Yosys 0.23"
  }

  energy "adc" {
    value  = 91.4062
    unit   = "pJ"
    kind   = "assumed"
    source = "ISAAC (Shafiee et al., ISCA 2016) at 32 nm, times (130/32) for capacitance and (1.2/1.0)^2 for voltage"
  }

  energy "dac" {
    value  = 0.0684
    unit   = "pJ"
    kind   = "assumed"
    source = "ISAAC (Shafiee et al., ISCA 2016) at 32 nm, times (130/32) for capacitance and (1.2/1.0)^2 for voltage"
  }

  energy "cell" {
    value  = 0.000239
    unit   = "pJ"
    kind   = "assumed"
    source = "the 45 nm figure: a matter of voltage and resistance, not of the feature size"
  }

  energy "sram_bit" {
    value  = 0.65
    unit   = "pJ/bit"
    kind   = "assumed"
    source = "the 45 nm figure, times (130/45) for capacitance and (1.2/1.0)^2 for voltage"
  }

  energy "lpddr_bit" {
    value  = 5
    unit   = "pJ/bit"
    kind   = "assumed"
    source = "LPDDR5; public data of LPDDR4, based on CACTI, is 4 to 8 pJ/bit"
  }

  energy "mac" {
    value  = 4.563
    unit   = "pJ"
    kind   = "synthesised"
    source = "spread column of 32 multipliers, an int8 product and its addition: 14.21 pJ by scripts/energy (netlist of Yosys 0.23, cells of osu018_stdcells.lib, SHA-256 86f79b2000f1, 180 nm, 1.8 V), times (130/180) for capacitance and (1.2/1.8)^2 for voltage; without clocks, glitches and wires"
  }

  energy "shift_add" {
    value  = 7.095
    unit   = "pJ"
    kind   = "synthesised"
    source = "shift-add of a PE of chip nano while it writes, code: 22.1 pJ by scripts/energy (netlist of Yosys 0.23, cells of osu018_stdcells.lib, SHA-256 86f79b2000f1, 180 nm, 1.8 V), times (130/180) for capacitance and (1.2/1.8)^2 for voltage; without clocks, glitches and wires"
  }

  energy "add" {
    value  = 2.315
    unit   = "pJ"
    kind   = "synthesised"
    source = "saturating int16 addition of the residual stream: 7.211 pJ by scripts/energy (netlist of Yosys 0.23, cells of osu018_stdcells.lib, SHA-256 86f79b2000f1, 180 nm, 1.8 V), times (130/180) for capacitance and (1.2/1.8)^2 for voltage; without clocks, glitches and wires"
  }

  energy "multiply" {
    value  = 13.74
    unit   = "pJ"
    kind   = "synthesised"
    source = "requantisation, 20 x 8 bits: 42.79 pJ by scripts/energy (netlist of Yosys 0.23, cells of osu018_stdcells.lib, SHA-256 86f79b2000f1, 180 nm, 1.8 V), times (130/180) for capacitance and (1.2/1.8)^2 for voltage; without clocks, glitches and wires"
  }

  energy "link_bit" {
    value  = 0.06047
    unit   = "pJ/bit"
    kind   = "synthesised"
    source = "register slice of 16 x 8 bits, a bit: 0.1884 pJ by scripts/energy (netlist of Yosys 0.23, cells of osu018_stdcells.lib, SHA-256 86f79b2000f1, 180 nm, 1.8 V), times (130/180) for capacitance and (1.2/1.8)^2 for voltage; without clocks, glitches and wires"
  }

  energy "pe_leak" {
    value  = 0.02847
    unit   = "uW"
    kind   = "synthesised"
    source = "spread column of 32 multipliers, a multiplier of it, by scripts/energy (osu018_stdcells.lib, SHA-256 86f79b2000f1, 180 nm, 1.8 V); not scaled, smaller transistors leak more; counts only without gate_leak"
  }

  energy "switch" {
    value  = 3.99
    unit   = "pJ"
    kind   = "synthesised"
    source = "switch of chip nano while it writes, int16 written into a buffer, and read: 12.43 pJ by scripts/energy (netlist of Yosys 0.23, cells of osu018_stdcells.lib, SHA-256 86f79b2000f1, 180 nm, 1.8 V), times (130/180) for capacitance and (1.2/1.8)^2 for voltage; without clocks, glitches and wires"
  }

  energy "softmax" {
    value  = 64.9
    unit   = "pJ"
    kind   = "synthesised"
    source = "softmax of chip nano while it writes, score: 202.2 pJ by scripts/energy (netlist of Yosys 0.23, cells of osu018_stdcells.lib, SHA-256 86f79b2000f1, 180 nm, 1.8 V), times (130/180) for capacitance and (1.2/1.8)^2 for voltage; without clocks, glitches and wires"
  }

  energy "normalise" {
    value  = 47.4
    unit   = "pJ"
    kind   = "synthesised"
    source = "normalisation of attention of chip nano while it writes, output: 147.7 pJ by scripts/energy (netlist of Yosys 0.23, cells of osu018_stdcells.lib, SHA-256 86f79b2000f1, 180 nm, 1.8 V), times (130/180) for capacitance and (1.2/1.8)^2 for voltage; without clocks, glitches and wires"
  }

  energy "router" {
    value  = 5.259
    unit   = "pJ"
    kind   = "synthesised"
    source = "routers of 4 PEs and of a tile of chip nano while it writes, sum: 16.38 pJ by scripts/energy (netlist of Yosys 0.23, cells of osu018_stdcells.lib, SHA-256 86f79b2000f1, 180 nm, 1.8 V), times (130/180) for capacitance and (1.2/1.8)^2 for voltage; without clocks, glitches and wires"
  }

  energy "bank_control" {
    value  = 0.8864
    unit   = "pJ"
    kind   = "synthesised"
    source = "control of a bank of chip nano while it writes, element distributed: 2.761 pJ by scripts/energy (netlist of Yosys 0.23, cells of osu018_stdcells.lib, SHA-256 86f79b2000f1, 180 nm, 1.8 V), times (130/180) for capacitance and (1.2/1.8)^2 for voltage; without clocks, glitches and wires"
  }

  energy "post" {
    value  = 19.33
    unit   = "pJ"
    kind   = "synthesised"
    source = "post-processing of a bank of chip nano while it writes, result: 60.22 pJ by scripts/energy (netlist of Yosys 0.23, cells of osu018_stdcells.lib, SHA-256 86f79b2000f1, 180 nm, 1.8 V), times (130/180) for capacitance and (1.2/1.8)^2 for voltage; without clocks, glitches and wires"
  }

  energy "pe_control" {
    value  = 0.8953
    unit   = "pJ"
    kind   = "synthesised"
    source = "PE of chip nano without crossbar and shift-add while it writes, code: 2.789 pJ by scripts/energy (netlist of Yosys 0.23, cells of osu018_stdcells.lib, SHA-256 86f79b2000f1, 180 nm, 1.8 V), times (130/180) for capacitance and (1.2/1.8)^2 for voltage; without clocks, glitches and wires"
  }

  energy "vector" {
    value  = 79.54
    unit   = "pJ"
    kind   = "synthesised"
    source = "vector unit of chip nano while it writes, element of a norm and an addition: 247.8 pJ by scripts/energy (netlist of Yosys 0.23, cells of osu018_stdcells.lib, SHA-256 86f79b2000f1, 180 nm, 1.8 V), times (130/180) for capacitance and (1.2/1.8)^2 for voltage; without clocks, glitches and wires"
  }

  energy "head" {
    value  = 18.02
    unit   = "pJ"
    kind   = "synthesised"
    source = "output head of chip nano, products left out while it writes, element of a row: 56.15 pJ by scripts/energy (netlist of Yosys 0.23, cells of osu018_stdcells.lib, SHA-256 86f79b2000f1, 180 nm, 1.8 V), times (130/180) for capacitance and (1.2/1.8)^2 for voltage; without clocks, glitches and wires"
  }

  energy "sampler" {
    value  = 1.627
    unit   = "pJ"
    kind   = "synthesised"
    source = "sampler of chip nano while it writes, logit: 5.069 pJ by scripts/energy (netlist of Yosys 0.23, cells of osu018_stdcells.lib, SHA-256 86f79b2000f1, 180 nm, 1.8 V), times (130/180) for capacitance and (1.2/1.8)^2 for voltage; without clocks, glitches and wires"
  }

  energy "sequencer" {
    value  = 83
    unit   = "pJ"
    kind   = "synthesised"
    source = "sequencer of chip nano while it writes, instruction: 258.6 pJ by scripts/energy (netlist of Yosys 0.23, cells of osu018_stdcells.lib, SHA-256 86f79b2000f1, 180 nm, 1.8 V), times (130/180) for capacitance and (1.2/1.8)^2 for voltage; without clocks, glitches and wires"
  }

  energy "flip_flop" {
    value  = 0.07153
    unit   = "pJ"
    kind   = "synthesised"
    source = "flip-flop DFFPOSX1: 0.2228 pJ by scripts/energy (netlist of Yosys 0.23, cells of osu018_stdcells.lib, SHA-256 86f79b2000f1, 180 nm, 1.8 V), times (130/180) for capacitance and (1.2/1.8)^2 for voltage; clock pin and flip-flop at its two edges, no clock tree"
  }

  energy "gate_leak" {
    value  = 3.56e-05
    unit   = "uW"
    kind   = "synthesised"
    source = "PE of the systolic array, 38.7 nW over 1,087 gate equivalents: 0.0356 nW by scripts/energy (osu018_stdcells.lib, SHA-256 86f79b2000f1, 180 nm, 1.8 V); not scaled, smaller transistors leak more"
  }
}
