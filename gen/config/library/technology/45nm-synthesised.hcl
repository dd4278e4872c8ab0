# SPDX-License-Identifier: Apache-2.0
#
# 45 nm with digital parts as ohmloom's own netlists have them: toggles counted on what a trained
# model computes, with the capacitances and internal energies of 180 nm cells, scaled by a stated
# rule. Clocks of all flip-flops and leakage of all gates count. Analog parts, memories and areas
# are those of "45nm", whose digital figures are cited instead.

technology "45nm-synthesised" {
  node_nm         = 45
  liberty         = "" # osu018 standard cells (Debian package qflow-tech-osu018)
  liberty_node_nm = 180

  area "adc" { # one 8-bit converter, 1.28 GS/s, 2 mW
    value  = 1200
    unit   = "um2"
    kind   = "cited"
    source = "ISAAC (Shafiee et al., ISCA 2016), 8-bit ADC at 32 nm, as used by MNSIM 2.0"
  }
  area "dac" { # one 1-bit row driver, 3.9 uW
    value  = 0.166
    unit   = "um2"
    kind   = "cited"
    source = "ISAAC (Shafiee et al., ISCA 2016), 1-bit DAC at 32 nm, as used by MNSIM 2.0"
  }
  area "cell" { # one 1T1R cell; a signed weight takes two
    value  = 0.018225
    unit   = "um2"
    kind   = "assumed"
    source = "1T1R cell of 9 F^2 at F = 45 nm (access transistor with W/L = 2)"
  }
  area "sram_bit" {
    value  = 0.49
    unit   = "um2"
    kind   = "fitted"
    source = "fakeram45 Libertys: 64x32 1,241 um2, 256x32 5,066 um2, 1024x32 16,406 um2; the line through them is within 13 %"
  }
  area "sram_fixed" {
    value  = 398
    unit   = "um2"
    kind   = "fitted"
    source = "fakeram45 Libertys: 64x32 1,241 um2, 256x32 5,066 um2, 1024x32 16,406 um2; the line through them is within 13 %"
  }
  area "gate" { # a gate equivalent of synthesised logic
    value  = 1.5
    unit   = "um2"
    kind   = "fitted"
    source = "area of NAND2X1 of osu018, 24 um2 at 180 nm (osu018_stdcells.lib, SHA-256 86f79b2000f1), times (45/180)^2; NAND2_X1 of Nangate45 has 0.798; gates by scripts/energy gates, Yosys 0.23"
  }

  energy "adc" { # ISAAC's own rate gives 1.56
    value  = 15.625
    unit   = "pJ"
    kind   = "cited"
    source = "ISAAC (Shafiee et al., ISCA 2016), 2 mW, for the 7.8125 ns that MNSIM 2.0 charges a conversion"
  }

  energy "dac" {
    value  = 0.0117
    unit   = "pJ"
    kind   = "cited"
    source = "ISAAC (Shafiee et al., ISCA 2016), 1-bit DAC, 3.9 uW for 3 ns, as used by MNSIM 2.0"
  }

  energy "cell" {
    value  = 0.000239
    unit   = "pJ"
    kind   = "cited"
    source = "MNSIM 2.0: 0.15 V, 10 kohm / 1 Mohm, 10 % active"
  }

  energy "sram_bit" {
    value  = 0.15625
    unit   = "pJ/bit"
    kind   = "cited"
    source = "Horowitz, ISSCC 2014, 45 nm: 8 KB cache, 10 pJ for 64 bits"
  }

  energy "lpddr_bit" {
    value  = 5
    unit   = "pJ/bit"
    kind   = "assumed"
    source = "LPDDR5; public data of LPDDR4, based on CACTI, is 4 to 8 pJ/bit"
  }

  energy "mac" {
    value  = 1.097
    unit   = "pJ"
    kind   = "fitted"
    source = "spread column of 32 multipliers, an int8 product and its addition: 14.21 pJ by scripts/energy (netlist of Yosys 0.23, cells of osu018_stdcells.lib, SHA-256 86f79b2000f1, 180 nm, 1.8 V), times (45/180) for capacitance and (1.0/1.8)^2 for voltage; without clocks, glitches and wires"
  }

  energy "shift_add" {
    value  = 1.705
    unit   = "pJ"
    kind   = "fitted"
    source = "shift-add of a PE of chip nano while it writes, code: 22.1 pJ by scripts/energy (netlist of Yosys 0.23, cells of osu018_stdcells.lib, SHA-256 86f79b2000f1, 180 nm, 1.8 V), times (45/180) for capacitance and (1.0/1.8)^2 for voltage; without clocks, glitches and wires"
  }

  energy "add" {
    value  = 0.5564
    unit   = "pJ"
    kind   = "fitted"
    source = "saturating int16 addition of the residual stream: 7.211 pJ by scripts/energy (netlist of Yosys 0.23, cells of osu018_stdcells.lib, SHA-256 86f79b2000f1, 180 nm, 1.8 V), times (45/180) for capacitance and (1.0/1.8)^2 for voltage; without clocks, glitches and wires"
  }

  energy "multiply" {
    value  = 3.302
    unit   = "pJ"
    kind   = "fitted"
    source = "requantisation, 20 x 8 bits: 42.79 pJ by scripts/energy (netlist of Yosys 0.23, cells of osu018_stdcells.lib, SHA-256 86f79b2000f1, 180 nm, 1.8 V), times (45/180) for capacitance and (1.0/1.8)^2 for voltage; without clocks, glitches and wires"
  }

  energy "link_bit" {
    value  = 0.01454
    unit   = "pJ/bit"
    kind   = "fitted"
    source = "register slice of 16 x 8 bits, a bit: 0.1884 pJ by scripts/energy (netlist of Yosys 0.23, cells of osu018_stdcells.lib, SHA-256 86f79b2000f1, 180 nm, 1.8 V), times (45/180) for capacitance and (1.0/1.8)^2 for voltage; without clocks, glitches and wires"
  }

  energy "pe_leak" {
    value  = 31
    unit   = "uW"
    kind   = "synthesised"
    source = "int8/int32 processing element in a 45 nm standard cell library, leakage of the netlist; counts only without gate_leak"
  }

  energy "switch" {
    value  = 0.9591
    unit   = "pJ"
    kind   = "fitted"
    source = "switch of chip nano while it writes, int16 written into a buffer, and read: 12.43 pJ by scripts/energy (netlist of Yosys 0.23, cells of osu018_stdcells.lib, SHA-256 86f79b2000f1, 180 nm, 1.8 V), times (45/180) for capacitance and (1.0/1.8)^2 for voltage; without clocks, glitches and wires"
  }

  energy "softmax" {
    value  = 15.6
    unit   = "pJ"
    kind   = "fitted"
    source = "softmax of chip nano while it writes, score: 202.2 pJ by scripts/energy (netlist of Yosys 0.23, cells of osu018_stdcells.lib, SHA-256 86f79b2000f1, 180 nm, 1.8 V), times (45/180) for capacitance and (1.0/1.8)^2 for voltage; without clocks, glitches and wires"
  }

  energy "normalise" {
    value  = 11.39
    unit   = "pJ"
    kind   = "fitted"
    source = "normalisation of attention of chip nano while it writes, output: 147.7 pJ by scripts/energy (netlist of Yosys 0.23, cells of osu018_stdcells.lib, SHA-256 86f79b2000f1, 180 nm, 1.8 V), times (45/180) for capacitance and (1.0/1.8)^2 for voltage; without clocks, glitches and wires"
  }

  energy "router" {
    value  = 1.264
    unit   = "pJ"
    kind   = "fitted"
    source = "routers of 4 PEs and of a tile of chip nano while it writes, sum: 16.38 pJ by scripts/energy (netlist of Yosys 0.23, cells of osu018_stdcells.lib, SHA-256 86f79b2000f1, 180 nm, 1.8 V), times (45/180) for capacitance and (1.0/1.8)^2 for voltage; without clocks, glitches and wires"
  }

  energy "bank_control" {
    value  = 0.2131
    unit   = "pJ"
    kind   = "fitted"
    source = "control of a bank of chip nano while it writes, element distributed: 2.761 pJ by scripts/energy (netlist of Yosys 0.23, cells of osu018_stdcells.lib, SHA-256 86f79b2000f1, 180 nm, 1.8 V), times (45/180) for capacitance and (1.0/1.8)^2 for voltage; without clocks, glitches and wires"
  }

  energy "post" {
    value  = 4.647
    unit   = "pJ"
    kind   = "fitted"
    source = "post-processing of a bank of chip nano while it writes, result: 60.22 pJ by scripts/energy (netlist of Yosys 0.23, cells of osu018_stdcells.lib, SHA-256 86f79b2000f1, 180 nm, 1.8 V), times (45/180) for capacitance and (1.0/1.8)^2 for voltage; without clocks, glitches and wires"
  }

  energy "pe_control" {
    value  = 0.2152
    unit   = "pJ"
    kind   = "fitted"
    source = "PE of chip nano without crossbar and shift-add while it writes, code: 2.789 pJ by scripts/energy (netlist of Yosys 0.23, cells of osu018_stdcells.lib, SHA-256 86f79b2000f1, 180 nm, 1.8 V), times (45/180) for capacitance and (1.0/1.8)^2 for voltage; without clocks, glitches and wires"
  }

  energy "vector" {
    value  = 19.12
    unit   = "pJ"
    kind   = "fitted"
    source = "vector unit of chip nano while it writes, element of a norm and an addition: 247.8 pJ by scripts/energy (netlist of Yosys 0.23, cells of osu018_stdcells.lib, SHA-256 86f79b2000f1, 180 nm, 1.8 V), times (45/180) for capacitance and (1.0/1.8)^2 for voltage; without clocks, glitches and wires"
  }

  energy "head" {
    value  = 4.333
    unit   = "pJ"
    kind   = "fitted"
    source = "output head of chip nano, products left out while it writes, element of a row: 56.15 pJ by scripts/energy (netlist of Yosys 0.23, cells of osu018_stdcells.lib, SHA-256 86f79b2000f1, 180 nm, 1.8 V), times (45/180) for capacitance and (1.0/1.8)^2 for voltage; without clocks, glitches and wires"
  }

  energy "sampler" {
    value  = 0.3911
    unit   = "pJ"
    kind   = "fitted"
    source = "sampler of chip nano while it writes, logit: 5.069 pJ by scripts/energy (netlist of Yosys 0.23, cells of osu018_stdcells.lib, SHA-256 86f79b2000f1, 180 nm, 1.8 V), times (45/180) for capacitance and (1.0/1.8)^2 for voltage; without clocks, glitches and wires"
  }

  energy "sequencer" {
    value  = 19.95
    unit   = "pJ"
    kind   = "fitted"
    source = "sequencer of chip nano while it writes, instruction: 258.6 pJ by scripts/energy (netlist of Yosys 0.23, cells of osu018_stdcells.lib, SHA-256 86f79b2000f1, 180 nm, 1.8 V), times (45/180) for capacitance and (1.0/1.8)^2 for voltage; without clocks, glitches and wires"
  }

  energy "flip_flop" {
    value  = 0.0172
    unit   = "pJ"
    kind   = "fitted"
    source = "flip-flop DFFPOSX1: 0.2228 pJ by scripts/energy (netlist of Yosys 0.23, cells of osu018_stdcells.lib, SHA-256 86f79b2000f1, 180 nm, 1.8 V), times (45/180) for capacitance and (1.0/1.8)^2 for voltage; clock pin and flip-flop at its two edges, no clock tree"
  }

  energy "gate_leak" {
    value  = 0.02852
    unit   = "uW"
    kind   = "fitted"
    source = "31 uW of an int8/int32 processing element in a 45 nm standard cell library over the 1,087 gate equivalents that it has in osu018"
  }
}
