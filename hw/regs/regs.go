// Package regs is the map of the chip's host registers, from which everything that must agree
// on them is made: the block hw.Host, the documentation, the C header and the Go driver (package
// gen/registers). Registers are 32 bits wide, at byte offsets from the base of an AXI4-Lite
// port. Reads and writes of other offsets are answered with SLVERR, and so are writes to
// registers that cannot be written and reads of those that cannot be read.
package regs

// Access says what may be done with a register.
type Access int

const (
	ReadOnly  Access = iota
	ReadWrite        // keeps what is written, bytes by their strobes
	WriteOnly        // a write does something; it needs all four strobes
	WriteOne         // reads as flags; a 1 written clears its flag
	ReadTakes        // read-only, and a read takes what it gives out of a buffer
)

// AccessNames are the words of the documentation, indexed by Access.
var AccessNames = []string{"read-only", "read-write", "write-only", "write 1 to clear", "read takes"}

// Readable and Writable say which accesses are not errors.
func (a Access) Readable() bool { return a != WriteOnly }
func (a Access) Writable() bool { return a == ReadWrite || a == WriteOnly || a == WriteOne }

// Register is one register, or Count of the same kind, 4 bytes apart.
type Register struct {
	Name   string
	Offset uint32 // bytes
	Count  int    // 0: one; else a row of registers, of which a chip may have fewer
	Access Access
	Reset  uint32 // of a ReadWrite register
	Doc    string
	Fields []Field
}

// Field is bits Lo to Lo + W - 1 of a register. Bits in no field are 0 and ignored.
type Field struct {
	Name  string
	Lo, W int
	Doc   string
}

// Mask is the bits of all fields.
func (r Register) Mask() uint32 {
	var m uint32
	for _, f := range r.Fields {
		m |= uint32(1<<f.W-1) << f.Lo
	}
	return m
}

// Field is the field called name, which must be there.
func (r Register) Field(name string) Field {
	for _, f := range r.Fields {
		if f.Name == name {
			return f
		}
	}
	panic("regs: register " + r.Name + " has no field " + name)
}

// Numbers that software checks before anything else.
const (
	Identity = 0x6f686d6c // "ohml", the first byte highest
	Version  = 1<<16 | 1  // of the map: major, minor; a change of the major one is no longer compatible
)

// AddressBits is the width of an address on the port; Window the bytes it spans.
const (
	AddressBits = 12
	Window      = 1 << AddressBits
)

// MaxBanks is how many PIM banks the map has counters for.
const MaxBanks = 16

// all is the field of a register that is one number.
func all(name, doc string) []Field { return []Field{{name, 0, 32, doc}} }

// Map is all registers, by rising offset.
var Map = []Register{
	{Name: "ID", Offset: 0x000, Doc: "Says what this is.", Fields: all("value", "0x6f686d6c, \"ohml\"")},
	{Name: "VERSION", Offset: 0x004, Doc: "Version of this register map.", Fields: []Field{
		{"minor", 0, 16, "1"}, {"major", 16, 16, "1; differs when the map is no longer compatible"}}},
	{Name: "HASH_LOW", Offset: 0x008, Doc: "Configuration hash, the low half.", Fields: all("value", "bits 31..0 of the hash of the parameters of the hardware; what is loaded into it, such as weights, is not in it")},
	{Name: "HASH_HIGH", Offset: 0x00c, Doc: "Configuration hash, the high half.", Fields: all("value", "bits 63..32")},
	{Name: "SHAPE", Offset: 0x010, Doc: "What the chip has.", Fields: []Field{
		{"vocab", 0, 17, "rows of the embedding table"}, {"banks", 17, 5, "PIM banks"}}},
	{Name: "ROW_BYTES", Offset: 0x014, Doc: "From one row of the embedding table in memory to the next.", Fields: all("value", "bytes; a row is int8 elements from the lowest address on, and the rest of it anything")},
	{Name: "BUFFERS", Offset: 0x018, Doc: "Depths of the buffers of tokens.", Fields: []Field{
		{"prompt", 0, 16, "tokens that PROMPT holds"}, {"token", 16, 16, "tokens that TOKEN holds"}}},

	{Name: "CACHE_BYTES_LOW", Offset: 0x01c, Doc: "Memory for keys and values, the low half.", Fields: all("value", "bytes; 0: they are on the chip")},
	{Name: "CACHE_BYTES_HIGH", Offset: 0x020, Doc: "Memory for keys and values, the high half.", Fields: all("value", "bytes")},
	{Name: "PROGRAM_SPACE", Offset: 0x024, Doc: "Size of the program memory.", Fields: []Field{{"value", 0, 13, "instructions"}}},

	{Name: "CONTROL", Offset: 0x040, Access: WriteOnly, Doc: "Starts and ends runs.", Fields: []Field{
		{"start", 0, 1, "begins a run; SLVERR while one is running, while a program is loaded, while buffers are being emptied, after an error, and while a reset is under way"},
		{"stop", 1, 1, "ends the run after the token that is being computed, or at once when it waits for the prompt"},
		{"clear", 2, 1, "empties the buffers of the prompt and of the tokens"},
		{"reset", 3, 1, "soft reset: when the memory port has come to rest, or its watchdog has given up on it, and this write was answered, output reset_request is 1 until the reset comes"},
		{"load", 4, 1, "loads PROGRAM_WORDS words from address PROGRAM_LOW, PROGRAM_HIGH into the program memory, from PROGRAM_ADDRESS on; SLVERR as for start, and with it"},
	}},
	{Name: "STATUS", Offset: 0x044, Doc: "What the chip is doing.", Fields: []Field{
		{"running", 0, 1, "a run was started and has not ended"},
		{"error", 1, 1, "something went wrong, see ERROR; only a reset clears it"},
		{"token", 2, 1, "a token waits in TOKEN"},
		{"prompt_full", 3, 1, "PROMPT takes no more for now"},
		{"clearing", 4, 1, "buffers are being emptied"},
		{"stopping", 5, 1, "the run is to end early"},
		{"resetting", 6, 1, "a soft reset is under way"},
		{"loading", 7, 1, "a program is being loaded"},
	}},
	{Name: "ERROR", Offset: 0x048, Doc: "The first error since the last reset.", Fields: []Field{
		{"code", 0, 8, "what went wrong, see the error codes; 0: nothing"},
		{"address", 8, 13, "of the instruction at which a run ended, of errors of programs"},
		{"client", 21, 2, "whose access it was, of errors of the memory: 0 embedding table, 1 program, 2 reads and 3 writes of keys and values"},
	}},
	{Name: "IRQ_ENABLE", Offset: 0x04c, Access: ReadWrite, Doc: "Interrupts that reach output irq.", Fields: irqs},
	{Name: "IRQ_STATUS", Offset: 0x050, Access: WriteOne, Doc: "Interrupts that have occurred, enabled or not.", Fields: irqs},

	{Name: "PROMPT", Offset: 0x054, Access: WriteOnly, Doc: "Appends a token to the prompt. SLVERR when the buffer is full.", Fields: []Field{
		{"token", 0, 17, "token id"}, {"last", 31, 1, "the prompt ends with it"}}},
	{Name: "PROMPT_SPACE", Offset: 0x058, Doc: "Room for the prompt.", Fields: []Field{{"value", 0, 17, "tokens that PROMPT takes at least"}}},
	{Name: "TOKEN", Offset: 0x05c, Access: ReadTakes, Doc: "The next token that the run wrote.", Fields: []Field{
		{"token", 0, 17, "token id, 0 if there is none"}, {"last", 30, 1, "it is the run's last, the budget is spent"}, {"valid", 31, 1, "there was a token"}}},

	{Name: "ENTRY", Offset: 0x060, Access: ReadWrite, Doc: "Where a run begins.", Fields: []Field{{"value", 0, 12, "address of an instruction"}}},
	{Name: "BUDGET", Offset: 0x064, Access: ReadWrite, Doc: "How much a run writes.", Fields: all("value", "tokens")},
	{Name: "SEQUENCE", Offset: 0x068, Access: ReadWrite, Reset: 1, Doc: "What came before a run.", Fields: []Field{
		{"first", 0, 1, "1: nothing, the prompt begins a sequence; 0: the run before"}}},
	{Name: "SAMPLER", Offset: 0x06c, Access: ReadWrite, Doc: "How tokens are chosen.", Fields: []Field{
		{"it16", 0, 8, "16 / temperature; 0: greedy"}, {"m", 8, 8, "multiplier of the logits"}, {"s", 16, 5, "shift of the logits"}}},
	{Name: "SEED", Offset: 0x070, Access: ReadWrite, Doc: "State of the sampler's generator at the run's first token.", Fields: all("value", "0: it goes on as it is")},
	{Name: "LIMIT", Offset: 0x074, Access: ReadWrite, Reset: 1 << 28, Doc: "Watchdog of a run.", Fields: all("value", "cycles without a token, not counting waits for the host, until the run ends with an error; 0: none")},
	{Name: "BUS_LIMIT", Offset: 0x078, Access: ReadWrite, Reset: 1 << 16, Doc: "Watchdog of the memory port.", Fields: all("value", "cycles for which the memory may owe an answer until the run ends with an error; 0: none")},
	{Name: "TABLE_LOW", Offset: 0x07c, Access: ReadWrite, Doc: "Address of the embedding table, the low half.", Fields: all("value", "bytes, a multiple of the width of the memory port: lower bits are taken as 0")},
	{Name: "TABLE_HIGH", Offset: 0x080, Access: ReadWrite, Doc: "Address of the embedding table, the high half.", Fields: all("value", "what the port has no address bits for is ignored")},
	{Name: "PROGRAM_ADDRESS", Offset: 0x084, Access: ReadWrite, Doc: "Where PROGRAM_WORD writes; each write moves it on.", Fields: []Field{{"value", 0, 12, "address of an instruction"}}},
	{Name: "PROGRAM_WORD", Offset: 0x088, Access: WriteOnly, Doc: "Writes a word of the program. SLVERR while a run is running or a program is being loaded.", Fields: all("value", "instruction")},
	{Name: "PROGRAM_LOW", Offset: 0x08c, Access: ReadWrite, Doc: "Address of a program to load, the low half.", Fields: all("value", "bytes, a multiple of the width of the memory port: lower bits are taken as 0; each word lowest byte first")},
	{Name: "PROGRAM_HIGH", Offset: 0x090, Access: ReadWrite, Doc: "Address of a program to load, the high half.", Fields: all("value", "what the port has no address bits for is ignored")},
	{Name: "PROGRAM_WORDS", Offset: 0x094, Access: ReadWrite, Doc: "Length of a program to load.", Fields: all("value", "instructions")},
	{Name: "PROGRAM_CHECK", Offset: 0x098, Access: ReadWrite, Doc: "What the words of a program to load must have.", Fields: all("value", "CRC-32 of IEEE 802.3 over their bytes")},
	{Name: "CACHE_LOW", Offset: 0x09c, Access: ReadWrite, Doc: "Address of keys and values, the low half; not to be changed in a sequence.", Fields: all("value", "bytes, a multiple of the width of the memory port: lower bits are taken as 0")},
	{Name: "CACHE_HIGH", Offset: 0x0a0, Access: ReadWrite, Doc: "Address of keys and values, the high half.", Fields: all("value", "what the port has no address bits for is ignored")},

	{Name: "CYCLES", Offset: 0x100, Doc: "Length of the run. This and all below begin anew with a run and stay at their largest value.", Fields: all("value", "cycles in which it was running")},
	{Name: "TOKENS", Offset: 0x104, Doc: "Tokens that the run has written.", Fields: all("value", "tokens")},
	{Name: "CYCLES_SEQUENCER", Offset: 0x108, Doc: "Work of the sequencer.", Fields: all("value", "cycles in which it did not wait for the host")},
	{Name: "CYCLES_VECTOR", Offset: 0x10c, Doc: "Work of the vector unit.", Fields: all("value", "cycles in which it added a vector or normed")},
	{Name: "CYCLES_ATTENTION", Offset: 0x110, Doc: "Work of the attention engine.", Fields: all("value", "cycles from the first beat that it could take to the last that it gave")},
	{Name: "CYCLES_HEAD", Offset: 0x114, Doc: "Work of output head and sampler.", Fields: all("value", "cycles from the command to the choice of a token")},
	{Name: "CYCLES_MEMORY", Offset: 0x118, Doc: "Work of the memory port.", Fields: all("value", "cycles in which the memory owed something")},
	{Name: "CYCLES_BANK", Offset: 0x140, Count: MaxBanks, Doc: "Work of each PIM bank.", Fields: all("value", "cycles from the first beat that it could take to the last that it gave")},
}

var irqs = []Field{
	{"token", 0, 1, "a token was written"},
	{"done", 1, 1, "a run has ended"},
	{"error", 2, 1, "an error has occurred"},
	{"loaded", 3, 1, "a program was loaded"},
}

// At is the register called name, which must be there.
func At(name string) Register {
	for _, r := range Map {
		if r.Name == name {
			return r
		}
	}
	panic("regs: there is no register " + name)
}

// Code is one of the values of field code of register ERROR.
type Code struct {
	Value int
	Name  string
	Doc   string
}

// Codes of register ERROR. Up to 15 they are those of the sequencer.
const (
	NoError        = 0
	BadWord        = 1
	BadAddress     = 2
	BadOperand     = 3
	EmptyBuffer    = 4
	NoToken        = 5
	BadToken       = 6
	RunTimedOut    = 7
	BusSlaveError  = 16
	BusDecodeError = 17
	BusLastEarly   = 18
	BusLastLate    = 19
	BusTimedOut    = 20
	ProgramLength  = 21
	ProgramCheck   = 22
)

// Codes is what they mean, by rising value.
var Codes = []Code{
	{NoError, "none", "nothing went wrong"},
	{BadWord, "bad_word", "a word of the program is no instruction"},
	{BadAddress, "bad_address", "the program goes on beyond the program memory"},
	{BadOperand, "bad_operand", "an instruction names a buffer, bank, op or slot that the chip does not have"},
	{EmptyBuffer, "empty_buffer", "an instruction reads a buffer that was never written"},
	{NoToken, "no_token", "embed finds neither a token of the prompt nor one that was emitted"},
	{BadToken, "bad_token", "a token is beyond the last row of the embedding table"},
	{RunTimedOut, "run_timed_out", "watchdog: no token came in or went out for LIMIT cycles"},
	{BusSlaveError, "bus_slave_error", "the memory answered with SLVERR"},
	{BusDecodeError, "bus_decode_error", "there is no memory at the address, the answer was DECERR"},
	{BusLastEarly, "bus_last_early", "RLAST came before the last beat of a burst"},
	{BusLastLate, "bus_last_late", "RLAST did not come with the last beat of a burst"},
	{BusTimedOut, "bus_timed_out", "watchdog: the memory owed an answer for BUS_LIMIT cycles"},
	{ProgramLength, "program_length", "a program to load has no words, or goes on beyond the program memory"},
	{ProgramCheck, "program_check", "the words of a program that was loaded do not have the CRC-32 that PROGRAM_CHECK says"},
}
