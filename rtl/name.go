package rtl

import (
	"fmt"
	"strings"

	"ohmloom/ir"
)

// NameError reports a name of a port, module or instance that Verilog does not allow. These
// names are the interface to the surroundings and are never changed.
type NameError struct {
	Module, Kind, Name, Why string
}

func (e *NameError) Error() string {
	return fmt.Sprintf("module %s: %s name %q %s; choose another name", e.Module, e.Kind, e.Name, e.Why)
}

// keywords are the reserved words of Verilog-2005 and SystemVerilog-2017.
var keywords = wordSet(`
accept_on alias always always_comb always_ff always_latch and assert assign assume automatic
before begin bind bins binsof bit break buf bufif0 bufif1 byte case casex casez cell chandle
checker class clocking cmos config const constraint context continue cover covergroup coverpoint
cross deassign default defparam design disable dist do edge else end endcase endchecker endclass
endclocking endconfig endfunction endgenerate endgroup endinterface endmodule endpackage
endprimitive endprogram endproperty endspecify endsequence endtable endtask enum event eventually
expect export extends extern final first_match for force foreach forever fork forkjoin function
generate genvar global highz0 highz1 if iff ifnone ignore_bins illegal_bins implements implies
import incdir include initial inout input inside instance int integer interconnect interface
intersect join join_any join_none large let liblist library local localparam logic longint
macromodule matches medium modport module nand negedge nettype new nexttime nmos nor
noshowcancelled not notif0 notif1 null or output package packed parameter pmos posedge primitive
priority program property protected pull0 pull1 pulldown pullup pulsestyle_ondetect
pulsestyle_onevent pure rand randc randcase randsequence rcmos real realtime ref reg reject_on
release repeat restrict return rnmos rpmos rtran rtranif0 rtranif1 s_always s_eventually
s_nexttime s_until s_until_with scalared sequence shortint shortreal showcancelled signed small
soft solve specify specparam static string strong strong0 strong1 struct super supply0 supply1
sync_accept_on sync_reject_on table tagged task this throughout time timeprecision timeunit tran
tranif0 tranif1 tri tri0 tri1 triand trior trireg type typedef union unique unique0 unsigned
until until_with untyped use uwire var vectored virtual void wait wait_order wand weak weak0
weak1 while wildcard wire with within wor xnor xor`)

// avoided are words of C++ that Verilator warns about; names that can be chosen are chosen
// otherwise.
var avoided = wordSet(`
alignas alignof asm auto bool catch char char16_t char32_t compl concept const_cast constexpr
decltype delete double dynamic_cast explicit false float friend goto inline long mutable namespace
noexcept nullptr operator private public register reinterpret_cast requires short sizeof
static_assert static_cast switch template thread_local throw true try typeid typename unsigned
volatile wchar_t and_eq bitand bitor not_eq or_eq xor_eq far near huge
abort atomic_cancel interrupt pascal synchronized transaction_safe uint8_t uint16_t uint32_t vector`)

func wordSet(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}

// legal says why name is not a Verilog identifier, or "".
func legal(name string) string {
	if name == "" {
		return "is empty"
	}
	for i, r := range name {
		letter := r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return "is not a Verilog identifier (letters, digits and _, not a digit first)"
		}
	}
	if keywords[name] {
		return "is a reserved word of Verilog or SystemVerilog"
	}
	return ""
}

// CheckPorts is an error when a port of a top module has a name that Verilog can't have, which
// only emitting it would tell otherwise.
func CheckPorts(top *ir.Module) error {
	s := names{module: top.Name, taken: map[string]bool{}}
	for _, p := range top.Ports {
		if err := s.keep("port", p.Name); err != nil {
			return err
		}
	}
	return nil
}

// names hands out the names of one module: unique, then legal.
type names struct {
	module string
	taken  map[string]bool
}

// keep reserves a name that must stay as it is.
func (s *names) keep(kind, name string) error {
	why := legal(name)
	if why == "" && s.taken[name] {
		why = "is used twice"
	}
	if why != "" {
		return &NameError{s.module, kind, name, why}
	}
	s.taken[name] = true
	return nil
}

// pick gives a free legal name that resembles want.
func (s *names) pick(want string) string {
	base := identifier(want)
	name := base
	for i := 2; s.taken[name]; i++ {
		name = fmt.Sprintf("%s_%d", base, i)
	}
	s.taken[name] = true
	return name
}

// identifier replaces what Verilog does not allow in an identifier.
func identifier(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' {
			return r
		}
		return '_'
	}, s)
	if s == "" || '0' <= s[0] && s[0] <= '9' {
		s = "n" + s
	}
	if keywords[s] || avoided[s] {
		s += "_v"
	}
	return s
}
