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
}
