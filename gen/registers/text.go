// Package registers writes what software needs to know of the host registers (package
// hw/regs): a page of documentation, a C header, and a Go driver. All come from the one table that
// the hardware is made of.
package registers

import (
	"fmt"
	"strings"

	"ohmloom/hw/regs"
)

// license is the first words of each file.
const license = "SPDX-License-Identifier: Apache-2.0"

// Output is a file of a build.
type Output struct {
	Path string
	Data []byte
	Role string
}

// Files is all that a build has of the registers.
func Files() ([]Output, error) {
	driver, err := Driver("driver")
	if err != nil {
		return nil, err
	}
	return []Output{
		{"registers.md", []byte(Page()), "documentation"},
		{"software/ohmloom_registers.h", []byte(Header()), "software"},
		{"software/driver/driver.go", driver, "software"},
	}, nil
}

// Page is the documentation, in Markdown.
func Page() string {
	var b strings.Builder
	p := func(format string, a ...any) { fmt.Fprintf(&b, format, a...) }
	p("<!-- %s -->\n# Host registers\n\n", license)
	p("Registers are 32 bits wide, on AXI4-Lite port `s_axi`, at byte offsets in a window of %d bytes. Version %d.%d of the map.\n", regs.Window, regs.Version>>16, regs.Version&0xffff)
	p("Accesses to other offsets, writes to registers that cannot be written and reads of those that cannot be read are answered\n")
	p("with SLVERR and do nothing. Bits that are in no field read as 0 and are ignored. Read-write registers take single bytes by\n")
	p("their strobes; write-only registers want all four strobes, else SLVERR.\n\n")
	p("| offset | register | access | reset | is |\n|---|---|---|---|---|\n")
	for _, r := range regs.Map {
		offset, reset := fmt.Sprintf("0x%03x", r.Offset), ""
		if r.Count > 0 {
			offset += fmt.Sprintf(" + 4 i, i < %d", r.Count)
		}
		if r.Access == regs.ReadWrite {
			reset = fmt.Sprintf("%#x", r.Reset)
		}
		p("| %s | [%s](#%s) | %s | %s | %s |\n", offset, r.Name, strings.ToLower(r.Name), regs.AccessNames[r.Access], reset, r.Doc)
	}
	for _, r := range regs.Map {
		p("\n## %s\n%s\n\n| bits | field | is |\n|---|---|---|\n", r.Name, r.Doc)
		for _, f := range r.Fields {
			bits := fmt.Sprint(f.Lo)
			if f.W > 1 {
				bits = fmt.Sprintf("%d:%d", f.Lo+f.W-1, f.Lo)
			}
			p("| %s | `%s` | %s |\n", bits, f.Name, f.Doc)
		}
		if r.Name == "ERROR" {
			p("\n| code | name | is |\n|---|---|---|\n")
			for _, c := range regs.Codes {
				p("| %d | `%s` | %s |\n", c.Value, c.Name, c.Doc)
			}
		}
	}
	p("%s", how)
	return b.String()
}

// how is how to use the registers.
const how = `
## A run
1. Check ID and the major half of VERSION.
2. Put the embedding table into memory, rows ROW_BYTES apart, and its address into TABLE_LOW and TABLE_HIGH. Write BUDGET, SAMPLER
   (scale of the model's head), SEED, and SEQUENCE; load a program through PROGRAM_ADDRESS and PROGRAM_WORD unless the chip
   has one from power-on.
3. Write CONTROL.start, then the prompt to PROMPT, as far as PROMPT_SPACE allows, the last token marked.
4. Take tokens from TOKEN while its valid is 1; interrupt token says when to look. The chip waits while the buffer is full.
5. The run has ended when STATUS.running is 0 and TOKEN gives no more; interrupt done says so. ERROR tells how it ended.

An error ends the run and stays: read ERROR, write CONTROL.reset, wait until ID can be read again, and write all registers anew.
Output reset_request asks for the reset, and whoever placed the chip must give it; until then the port takes no accesses.
`

// Header is the registers as a C header, of C99 and later.
func Header() string {
	var b strings.Builder
	p := func(format string, a ...any) { fmt.Fprintf(&b, format, a...) }
	p("/* %s */\n/* Host registers of the chip, made by ohmloom from its register table. */\n", license)
	p("#ifndef OHMLOOM_REGISTERS_H\n#define OHMLOOM_REGISTERS_H\n\n#include <stdint.h>\n\n")
	p("#define OHMLOOM_IDENTITY UINT32_C(%#x)\n#define OHMLOOM_MAP_VERSION UINT32_C(%#x)\n#define OHMLOOM_WINDOW %d /* bytes */\n", regs.Identity, regs.Version, regs.Window)
	for _, r := range regs.Map {
		p("\n/* %s: %s (%s) */\n", r.Name, r.Doc, regs.AccessNames[r.Access])
		if r.Count > 0 {
			p("#define OHMLOOM_%s_OFFSET(i) (UINT32_C(%#x) + 4 * (uint32_t)(i)) /* i < %d */\n", r.Name, r.Offset, r.Count)
		} else {
			p("#define OHMLOOM_%s_OFFSET UINT32_C(%#x)\n", r.Name, r.Offset)
		}
		if r.Access == regs.ReadWrite {
			p("#define OHMLOOM_%s_RESET UINT32_C(%#x)\n", r.Name, r.Reset)
		}
		if len(r.Fields) == 1 && r.Fields[0].W == 32 {
			p("/* %s */\n", r.Fields[0].Doc)
			continue
		}
		for _, f := range r.Fields {
			name := "OHMLOOM_" + r.Name + "_" + strings.ToUpper(f.Name)
			p("#define %s_SHIFT %d /* %s */\n", name, f.Lo, f.Doc)
			p("#define %s_MASK UINT32_C(%#x)\n", name, uint32(1<<f.W-1)<<f.Lo)
		}
	}
	p("\n/* Codes of field code of register ERROR. */\n")
	for _, c := range regs.Codes {
		p("#define OHMLOOM_CODE_%s %d /* %s */\n", strings.ToUpper(c.Name), c.Value, c.Doc)
	}
	p("\n/* A register of the window at base. */\n")
	p("static inline uint32_t ohmloom_read(const volatile void *base, uint32_t offset)\n{\n")
	p("    return *(const volatile uint32_t *)((const volatile char *)base + offset);\n}\n\n")
	p("static inline void ohmloom_write(volatile void *base, uint32_t offset, uint32_t value)\n{\n")
	p("    *(volatile uint32_t *)((volatile char *)base + offset) = value;\n}\n\n")
	p("/* Field value of a word, and a value as the field of a word. */\n")
	p("#define OHMLOOM_GET(word, field) (((word) & field##_MASK) >> field##_SHIFT)\n")
	p("#define OHMLOOM_PUT(value, field) (((uint32_t)(value) << field##_SHIFT) & field##_MASK)\n\n#endif\n")
	return b.String()
}
