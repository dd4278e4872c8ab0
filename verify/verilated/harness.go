package verilated

import (
	"fmt"
	"strings"

	"ohmloom/ir"
	"ohmloom/verify"
	"ohmloom/verify/verilated/vlog"
)

// bench is a module that stands above the top. It gives the ports names that cannot clash
// with C++ words (i0, i1, ... and o0, o1, ...), and the top the hierarchical name that it
// has in every engine.
func bench(top *ir.Module, s verify.Shape) string {
	var b strings.Builder
	var decl, conn []string
	if top.Stateful() {
		decl = append(decl, "input wire clk", "input wire rst")
		conn = append(conn, ".clk(clk)", ".rst(rst)")
	}
	add := func(dir, prefix string, ps []*ir.Port) {
		for i, q := range ps {
			decl = append(decl, fmt.Sprintf("%s wire [%d:0] %s%d", dir, q.Type.Total()-1, prefix, i))
			conn = append(conn, fmt.Sprintf(".%s(%s%d)", q.Name, prefix, i))
		}
	}
	add("input", "i", s.In)
	add("output", "o", s.Out)
	fmt.Fprintf(&b, "`default_nettype none\nmodule %s (\n  %s\n);\n", vlog.Bench, strings.Join(decl, ",\n  "))
	fmt.Fprintf(&b, "  %s %s (\n    %s\n  );\nendmodule\n", top.Name, top.Name, strings.Join(conn, ",\n    "))
	return b.String()
}

// preInclude is read before everything else in every compilation, also those of Verilator's
// run time: what would be printed goes to the record of the running call.
const preInclude = `#ifndef OHM_PRE_H
#define OHM_PRE_H
int ohm_printf(const char* format, ...) __attribute__((format(printf, 1, 2)));
#define VL_PRINTF ohm_printf
#include "verilated.h"
#endif
`

// initFile replaces the emitted include file of this name. The task of the Verilog is
// copied out for every register of every instance, which made half of a large build; here
// every power-on word is one call of the same function in C++. Icarus and the linter see the
// emitted one, and the conformance suite holds both to ir.InitWord. Tables that an engine is given
// were checked in Go.
var initFile = vlog.File{Name: "ohmloom_init.vh", Text: `import "DPI-C" pure function longint unsigned ohm_init_word(input longint unsigned key, input int index);
task ohmloom_init(input [63:0] key, input integer index, output [63:0] word);
  word = ohm_init_word(key, index);
endtask
task ohmloom_belongs(input [4095:0] tables, input [8191:0] path);
endtask
`}

// harnessHead holds what is the same for all designs: errors that come back as codes, and
// packing of records into Verilator's words (32 bits, the lowest first).
const harnessHead = `#include "Vtb.h"
#if VM_TRACE
#include "verilated_vcd_c.h"
#endif
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>

static thread_local std::string* ohm_log = nullptr;
static thread_local uint64_t ohm_seed = 0;

// The power-on word of element index of a register or memory, see ir.InitWord.
extern "C" unsigned long long ohm_init_word(unsigned long long key, int index) {
  uint64_t x = (ohm_seed ^ key) + static_cast<uint64_t>(index) + 0x9e3779b97f4a7c15u;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
  x = (x ^ x >> 27) * 0x94d049bb133111ebu;
  return x ^ x >> 31;
}

int ohm_printf(const char* format, ...) {
  char line[1024];
  va_list args;
  va_start(args, format);
  const int n = vsnprintf(line, sizeof line, format, args);
  va_end(args);
  if (ohm_log && n > 0 && ohm_log->size() < 16384) ohm_log->append(line);
  return n;
}

static std::string ohm_where(const char* file, int line) {
  return file && *file ? " at " + std::string(file) + ":" + std::to_string(line) : std::string();
}
void vl_fatal(const char* file, int line, const char*, const char* msg) {
  throw std::runtime_error("fatal" + ohm_where(file, line) + ": " + (msg ? msg : ""));
}
void vl_stop(const char* file, int line, const char*) { throw std::runtime_error("$stop" + ohm_where(file, line)); }
void vl_finish(const char* file, int line, const char*) { throw std::runtime_error("$finish" + ohm_where(file, line)); }

namespace {

constexpr uint64_t mask(int w) { return ~uint64_t{0} >> (64 - w); }

// Signals of up to 64 bits.
template <int N, int W, typename T>
inline void pack(T& d, const uint64_t* s) {
  uint64_t v = 0;
  for (int i = 0; i < N; ++i) v |= (s[i] & mask(W)) << (i * W);
  d = static_cast<T>(v);
}
template <int N, int W, typename T>
inline void unpack(uint64_t* d, const T& s) {
  const uint64_t v = s;
  for (int i = 0; i < N; ++i) d[i] = v >> (i * W) & mask(W);
}

// Wider signals whose elements are whole little-endian words of type E.
template <int N, typename E>
inline void packWhole(EData* d, const uint64_t* s) {
  if (N * sizeof(E) % 4) d[N * sizeof(E) / 4] = 0;
  char* b = reinterpret_cast<char*>(d);
  for (int i = 0; i < N; ++i) {
    const E e = static_cast<E>(s[i]);
    memcpy(b + i * sizeof(E), &e, sizeof(E));
  }
}
template <int N, typename E>
inline void unpackWhole(uint64_t* d, const EData* s) {
  const char* b = reinterpret_cast<const char*>(s);
  for (int i = 0; i < N; ++i) {
    E e;
    memcpy(&e, b + i * sizeof(E), sizeof(E));
    d[i] = e;
  }
}

// Wider signals of any other element width.
template <int N, int W, std::size_t words>
inline void pack(VlWide<words>& wide, const uint64_t* s) {
  EData* d = wide.data();
  if constexpr (W == 8) return packWhole<N, uint8_t>(d, s);
  if constexpr (W == 16) return packWhole<N, uint16_t>(d, s);
  if constexpr (W == 32) return packWhole<N, uint32_t>(d, s);
  if constexpr (W == 64) return packWhole<N, uint64_t>(d, s);
  unsigned __int128 acc = 0;
  int have = 0, at = 0;
  for (int i = 0; i < N; ++i) {
    acc |= static_cast<unsigned __int128>(s[i] & mask(W)) << have;
    for (have += W; have >= 32; have -= 32, acc >>= 32) d[at++] = static_cast<EData>(acc);
  }
  if (have) d[at] = static_cast<EData>(acc);
}
template <int N, int W, std::size_t words>
inline void unpack(uint64_t* d, const VlWide<words>& wide) {
  const EData* s = wide.data();
  if constexpr (W == 8) return unpackWhole<N, uint8_t>(d, s);
  if constexpr (W == 16) return unpackWhole<N, uint16_t>(d, s);
  if constexpr (W == 32) return unpackWhole<N, uint32_t>(d, s);
  if constexpr (W == 64) return unpackWhole<N, uint64_t>(d, s);
  unsigned __int128 acc = 0;
  int have = 0, at = 0;
  for (int i = 0; i < N; ++i) {
    for (; have < W; have += 32) acc |= static_cast<unsigned __int128>(s[at++]) << have;
    d[i] = static_cast<uint64_t>(acc) & mask(W);
    acc >>= W;
    have -= W;
  }
}

`

// harnessTail is the C interface; step is generated. Every call that can fail gives 0 for
// success, else 1 and a text in err.
const harnessTail = `
int fail(char* err, uint64_t size, const std::string& what, const std::string& log) {
  snprintf(err, size, "%s%s%s", what.c_str(), log.empty() ? "" : "\n", log.c_str());
  return 1;
}

}  // namespace

#define OHM_API extern "C" __attribute__((visibility("default")))

OHM_API int ohm_new(uint64_t seed, const char* tables, void** out, char* err, uint64_t size) {
  std::string log;
  ohm_log = &log;
  auto m = std::make_unique<Model>();
  try {
    ohm_seed = seed;
    char arg[40];
    snprintf(arg, sizeof arg, "+seed=%016llx", static_cast<unsigned long long>(seed));
    const std::string from = std::string("+tables=") + tables;
    const char* args[] = {"ohmloom", arg, from.c_str()};
    Verilated::threadContextp(&m->context);
    m->context.commandArgs(*tables ? 3 : 2, args);
#if VM_TRACE
    m->context.traceEverOn(true);
#endif
    m->top = std::make_unique<Vtb>(&m->context, "");
    m->top->eval();
  } catch (const std::exception& e) {
    ohm_log = nullptr;
    return fail(err, size, e.what(), log);
  }
  ohm_log = nullptr;
  *out = m.release();
  return 0;
}

OHM_API int ohm_trace(void* h, const char* path, uint64_t from, uint64_t to) {
#if VM_TRACE
  Model& m = *static_cast<Model*>(h);
  Verilated::threadContextp(&m.context);
  m.from = from;
  m.to = to;
  m.vcd = std::make_unique<VerilatedVcdC>();
  m.top->trace(m.vcd.get(), 99);
  m.vcd->open(path);
  return m.vcd->isOpen() ? 0 : 1;
#else
  (void)h, (void)path, (void)from, (void)to;
  return 1;
#endif
}

OHM_API int ohm_run(void* h, const uint64_t* in, uint64_t* out, uint64_t n, char* err, uint64_t size) {
  Model& m = *static_cast<Model*>(h);
  if (m.dead) return fail(err, size, "the model stopped before", "");
  std::string log;
  ohm_log = &log;
  Verilated::threadContextp(&m.context);
  uint64_t done = 0;
  try {
    for (; done < n; ++done) {
      step(m, in, out);
      in += kIn;
      out += kOut;
    }
  } catch (const std::exception& e) {
    ohm_log = nullptr;
    m.dead = true;
    return fail(err, size, "cycle " + std::to_string(m.cycle) + ": " + e.what(), log);
  }
  ohm_log = nullptr;
  return 0;
}

OHM_API void ohm_free(void* h) {
  Model* m = static_cast<Model*>(h);
  Verilated::threadContextp(&m->context);
#if VM_TRACE
  if (m->vcd) m->vcd->close();
#endif
  delete m;
}
`

const modelStruct = `struct Model {
  VerilatedContext context;
  std::unique_ptr<Vtb> top;
#if VM_TRACE
  std::unique_ptr<VerilatedVcdC> vcd;
  uint64_t from = 0, to = 0;
#endif
  uint64_t cycle = 0;
  bool dead = false;
  ~Model() {
    top.reset();
    Verilated::threadContextp(nullptr);
  }
};

#if VM_TRACE
inline void dump(Model& m, int phase) {
  if (!m.vcd || m.cycle < m.from) return;
  if (m.cycle < m.to) m.vcd->dump(m.cycle * 10 + phase);
  else if (m.vcd->isOpen()) m.vcd->close();
}
#else
inline void dump(Model&, int) {}
#endif

`

// harness is the C++ around the Verilated model of the bench.
func harness(top *ir.Module, s verify.Shape) string {
	var b strings.Builder
	b.WriteString(harnessHead)
	fmt.Fprintf(&b, "constexpr uint64_t kIn = %d, kOut = %d;\n\n", s.InWords, s.OutWords)
	b.WriteString(modelStruct)
	b.WriteString("// One cycle: set the inputs, settle, sample the outputs, then the clock edge.\n")
	b.WriteString("inline void step(Model& m, const uint64_t* in, uint64_t* out) {\n  Vtb& t = *m.top;\n")
	if top.Stateful() {
		b.WriteString("  t.clk = 0;\n  t.rst = in[0] & 1;\n")
	}
	at := 1
	for i, q := range s.In {
		fmt.Fprintf(&b, "  pack<%d, %d>(t.i%d, in + %d);\n", q.Type.N, q.Type.W, i, at)
		at += q.Type.N
	}
	b.WriteString("  t.eval();\n  dump(m, 0);\n")
	at = 0
	for i, q := range s.Out {
		fmt.Fprintf(&b, "  unpack<%d, %d>(out + %d, t.o%d);\n", q.Type.N, q.Type.W, at, i)
		at += q.Type.N
	}
	if top.Stateful() {
		b.WriteString("  t.clk = 1;\n  t.eval();\n  dump(m, 5);\n")
	}
	b.WriteString("  ++m.cycle;\n}\n")
	b.WriteString(harnessTail)
	return b.String()
}
