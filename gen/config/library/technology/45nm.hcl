# SPDX-License-Identifier: Apache-2.0
#
# 45 nm, the technology of the PIM-LLM paper. Figures are taken as their sources print them:
# the converters' are for 32 nm and are not scaled. Digital logic is mapped to the default
# standard cells, which are 180 nm: an area that adds both mixes nodes, and reports say so.

technology "45nm" {
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

  energy "mac" {
    value  = 0.3
    unit   = "pJ"
    kind   = "cited"
    source = "Horowitz, ISSCC 2014, 45 nm: int8 multiplication 0.2 pJ, int32 addition 0.1 pJ"
  }

  energy "shift_add" {
    value  = 0.1
    unit   = "pJ"
    kind   = "cited"
    source = "Horowitz, ISSCC 2014, 45 nm: int32 addition; registers left out"
  }

  energy "add" {
    value  = 0.1
    unit   = "pJ"
    kind   = "cited"
    source = "Horowitz, ISSCC 2014, 45 nm: int32 addition"
  }

  energy "multiply" {
    value  = 3.1
    unit   = "pJ"
    kind   = "cited"
    source = "Horowitz, ISSCC 2014, 45 nm: int32 multiplication"
  }

  energy "sram_bit" {
    value  = 0.15625
    unit   = "pJ/bit"
    kind   = "cited"
    source = "Horowitz, ISSCC 2014, 45 nm: 8 KB cache, 10 pJ for 64 bits"
  }

  energy "link_bit" {
    value  = 0.1
    unit   = "pJ/bit"
    kind   = "assumed"
    source = "1 mm of wire at 45 nm, 0.2 pF/mm at 1 V, half of the bits toggling"
  }

  energy "lpddr_bit" {
    value  = 5
    unit   = "pJ/bit"
    kind   = "assumed"
    source = "LPDDR5; public data of LPDDR4, based on CACTI, is 4 to 8 pJ/bit"
  }

  energy "pe_leak" {
    value  = 31
    unit   = "uW"
    kind   = "synthesised"
    source = "int8/int32 processing element in a 45 nm standard cell library, leakage of the netlist"
  }
}
