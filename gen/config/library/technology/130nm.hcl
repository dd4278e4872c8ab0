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
}
