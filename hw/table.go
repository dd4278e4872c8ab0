package hw

import "math/rand"

// Table lists every block; the generic test and the documentation walk through it.
var Table = []Entry{
	{"array", "output-stationary systolic array", randomArray, arrayWork},
	{"crossbar", "differential pair with DACs and converters", func(r *rand.Rand) Block { return randomCrossbar(r, 13) }, crossbarWork},
	{"shift_add", "codes to sums over planes and row groups", func(r *rand.Rand) Block { return ShiftAdd{randomCrossbar(r, 9)} }, shiftAddWork},
	{"crossbar_pe", "processing element of the PIM side", randomCrossbarPE, crossbarPEWork},
	{"requantise", "sums to activations", randomRequantise, requantiseWork},
	{"fifo", "buffer between two streams", randomFifo, fifoWork},
	{"pim", "grid of crossbar PEs with its buffers",
		func(r *rand.Rand) Block { return randomPIM(r) },
		func(r *rand.Rand, b Block, extreme bool) [][]Beat { return pimWork(r, b.(PIM), extreme) }},
	{"exp_rom", "exponential of the softmax", randomExpROM, expROMWork},
	{"divider", "restoring divider", randomDivider, dividerWork},
	{"softmax", "integer softmax with reciprocals", randomSoftmax, softmaxWork},
	{"consmax", "softmax without maximum and sum", randomConSmax, conSmaxWork},
	{"normalise", "weighted sums to attention outputs", randomNormalise, normaliseWork},
	{"register_slice", "two beats in registers", randomRegisterSlice, registerSliceWork},
	{"array_buffered", "output-stationary systolic array, drained while it computes", randomBufferedArray, bufferedArrayWork},
	{"spread", "decode attention over all columns", randomSpread, spreadWork},
	{"kv_cache", "ring of keys and values over banks", randomKVCache, kvCacheWork},
	{"replay", "packets given several times", randomReplay, replayWork},
	{"rel_bias", "relative position bias of the slots of a ring", randomRelBias, relBiasWork},
	{"attention_column", "decode attention on one column of the array", randomAttentionColumn, attentionColumnWork},
	{"array_stationary", "weight- or input-stationary systolic array", randomStationaryArray, stationaryArrayWork},
	{"tile", "PIM half and attention, an array or a decode engine, side by side", randomTile, tileWork},
	{"activation", "ReLU, squared ReLU, GELU or SiLU", randomActivation, activationWork},
	{"residual_add", "saturating addition to the residual stream", randomResidualAdd, residualAddWork},
	{"isqrt", "integer square root", randomIsqrt, isqrtWork},
	{"rms_norm", "root mean square norm", randomRMSNorm, rmsNormWork},
	{"layer_norm", "norm with mean", randomLayerNorm, layerNormWork},
	{"vector_unit", "residual stream with its norm", randomVectorUnit, vectorUnitWork},
	{"gearbox", "beats of another width", randomGearbox, gearboxWork},
	{"vector_buffer", "vector written once and read several times", randomVectorBuffer, vectorBufferWork},
}
