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

  energy "mac" {
    value  = 6.23
    unit   = "pJ"
    kind   = "synthesised"
    source = "spread column of 32 multipliers, 19.4 pJ in osu018 (180 nm, 1.8 V) by scripts/energy, times (130/180) for capacitance and (1.2/1.8)^2 for voltage; no glitches, no wires"
  }

  energy "shift_add" {
    value  = 16.8
    unit   = "pJ"
    kind   = "synthesised"
    source = "shift-add of 8 converters, 64 sums, 52.2 pJ in osu018 (180 nm, 1.8 V) by scripts/energy, times (130/180) for capacitance and (1.2/1.8)^2 for voltage; no glitches, no wires"
  }

  energy "add" {
    value  = 3.53
    unit   = "pJ"
    kind   = "synthesised"
    source = "saturating int16 addition of the residual stream, 11 pJ in osu018 (180 nm, 1.8 V) by scripts/energy, times (130/180) for capacitance and (1.2/1.8)^2 for voltage; no glitches, no wires"
  }

  energy "multiply" {
    value  = 15
    unit   = "pJ"
    kind   = "synthesised"
    source = "requantisation, 20 x 8 bits, 46.6 pJ in osu018 (180 nm, 1.8 V) by scripts/energy, times (130/180) for capacitance and (1.2/1.8)^2 for voltage; no glitches, no wires"
  }

  energy "sram_bit" {
    value  = 0.65
    unit   = "pJ/bit"
    kind   = "assumed"
    source = "the 45 nm figure, times (130/45) for capacitance and (1.2/1.0)^2 for voltage"
  }

  energy "link_bit" {
    value  = 0.205
    unit   = "pJ/bit"
    kind   = "synthesised"
    source = "register slice of 16 x 8 bits, 0.639 pJ in osu018 (180 nm, 1.8 V) by scripts/energy, times (130/180) for capacitance and (1.2/1.8)^2 for voltage; no glitches, no wires"
  }

  energy "lpddr_bit" {
    value  = 5
    unit   = "pJ/bit"
    kind   = "assumed"
    source = "LPDDR5; public data of LPDDR4, based on CACTI, is 4 to 8 pJ/bit"
  }

  energy "pe_leak" {
    value  = 0.0285
    unit   = "uW"
    kind   = "synthesised"
    source = "spread column of 32 multipliers, 0.0285 uW a multiplier in osu018 (180 nm, 1.8 V) by scripts/energy; not scaled, smaller transistors leak more"
  }
}
