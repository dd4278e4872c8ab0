package paper

import "ohmloom/gen/arch"

// Sizes of the chip in the paper.
const (
	Rows, Cols   = 32, 32 // of the systolic array
	ClockMHz     = 100    // of the digital side
	xbar         = 256    // rows and columns of a crossbar pair
	tilePEs      = 4      // pairs a tile of the simulation holds
	inputBits    = 8      // bit planes of an activation
	adcShares    = 2      // columns that take turns at a converter
	planeSteps   = inputBits * adcShares
	firstInputs  = 7168     // inputs of the first fully connected layer in all published simulations
	batteryJ     = 5 * 3600 // 5 Wh
	tokensPerWrd = 1.5
)

const (
	fromMNSIM = "MNSIM 2.0 (Zhu et al., TCAD 2023), as used by PIM-LLM (arXiv 2504.01994)"
	fromISAAC = "ISAAC (Shafiee et al., ISCA 2016), via MNSIM 2.0"
	fromPaper = "fitted to the published figures of PIM-LLM (arXiv 2504.01994)"
)

func cited(v float64, unit, source string) arch.Quantity {
	return arch.Quantity{Value: v, Unit: unit, Kind: "cited", Source: source}
}

func fitted(v float64, unit, what string) arch.Quantity {
	return arch.Quantity{Value: v, Unit: unit, Kind: "fitted", Source: what + "; " + fromPaper}
}

// The constants of the published simulation. Those to five digits are known within half a unit
// of the last; two have a sixth so that every published figure comes out to its printed digit.
var (
	xbarRead      = cited(3.16, "ns", fromMNSIM)
	dacTime       = cited(3, "ns", fromISAAC)
	adcTime       = cited(7.8125, "ns", fromISAAC+": 8 bits and 2 cycles at 1.28 GS/s")
	digitalTime   = cited(85.99, "ns", fromMNSIM)
	bufferWords   = fitted(352, "words", "64-bit words in and out of a PE's and a tile's buffers")
	tileWords     = fitted(128, "words", "64-bit words of the tile's output buffer, read once more")
	wordTime      = cited(20, "ns", fromMNSIM+": a 64-bit word")
	intraTileTime = cited(4.25, "ns", fromMNSIM)
	linkBits      = cited(20, "bit/ns", fromMNSIM+": a link between tiles")
	addTime       = fitted(2, "ns", "addition of partial sums at a hop")

	adcEnergy    = cited(15.625, "pJ", fromISAAC+": 2 mW for 7.8125 ns, a conversion")
	cellEnergy   = cited(0.239e-3, "pJ", fromMNSIM+": a cell and step at 0.15 V, 10 kohm / 1 Mohm, 10 % active")
	dacEnergy    = cited(0.0117, "pJ", fromISAAC+": 3.9 uW for 3 ns, a row and step")
	digitalPE    = cited(52, "pJ", fromMNSIM+": shift and add of a pair's product")
	bufferPE     = cited(38720, "pJ", fromMNSIM+": buffers of a pair's product")
	restPE       = fitted(4.87, "pJ", "what is missing to 71.0754 nJ a pair's product")
	arrayCycle   = fitted(40.7126, "pJ", "energy of a cycle of the array: 4.07 mW at 100 MHz")
	arrayTenfold = arch.Quantity{Value: 10, Kind: "assumed", Source: "40.7 mW taken at 1 ns instead of 10 ns: a synthesised int8/int32 PE alone leaks 31 uW"}

	lpddrEnergy = cited(4, "pJ/bit", "LPDDR4, low end of CACTI-based public data")
	lpddrRate   = cited(12.8, "GB/s", "LPDDR4-3200 x32, JEDEC rate")
	weightBits  = arch.Quantity{Value: 2, Unit: "bit", Kind: "assumed", Source: "a ternary weight, two bits each"}
)
