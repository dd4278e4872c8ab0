// Package icarus executes the emitted Verilog in Icarus Verilog, event by event with four
// values: slow, and one more judge of small designs. An x or z in an output is an error.
package icarus

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ohmloom/ir"
	"ohmloom/verify"
	"ohmloom/verify/verilated/vlog"
)

// Options say how a design is run.
type Options struct {
	Limit time.Duration // longest time for one call of Run; 0: two minutes
}

const (
	defaultLimit = 2 * time.Minute
	compileLimit = 2 * time.Minute
)

// Engine is a design in one vvp process, which Power starts anew. It implements
// verify.Engine.
type Engine struct {
	top    *ir.Module
	shape  verify.Shape
	tables []vlog.Table
	vvp    *vlog.Found
	limit  time.Duration
	dir    string // the compiled design; "" after Close

	mu    sync.Mutex
	proc  *process // nil before Power, and after a failure
	cycle int      // since Power
}

var _ verify.Engine = (*Engine)(nil)

// New compiles d. Missing, old and broken tools are a *verify.ToolError.
func New(ctx context.Context, d *ir.Design, opt Options) (*Engine, error) {
	files, err := vlog.Emit(d)
	if err != nil {
		return nil, err
	}
	return FromVerilog(ctx, d.Top, vlog.Tables(d), files, opt)
}

// FromVerilog is New for Verilog that is given: top names its module and ports, tables its
// loadable memories.
func FromVerilog(ctx context.Context, top *ir.Module, tables []vlog.Table, files []vlog.File, opt Options) (*Engine, error) {
	if top.Name == vlog.Bench {
		return nil, fmt.Errorf("icarus: the top module cannot be called %s, which is the test bench's name", vlog.Bench)
	}
	compiler, err := vlog.Iverilog.Find(ctx)
	if err != nil {
		return nil, err
	}
	vvp, err := vlog.Vvp.Find(ctx)
	if err != nil {
		return nil, err
	}
	e := &Engine{top: top, shape: verify.ShapeOf(top), tables: tables, vvp: vvp, limit: opt.Limit}
	if e.limit <= 0 {
		e.limit = defaultLimit
	}
	if e.dir, err = os.MkdirTemp("", "ohmloom-icarus-"); err != nil {
		return nil, fmt.Errorf("icarus: %w", err)
	}
	files = append(files[:len(files):len(files)], vlog.File{Name: "bench.v", Text: bench(top, e.shape)})
	if err := e.compile(ctx, compiler, files); err != nil {
		e.Close()
		return nil, fmt.Errorf("building %s: %w", top.Name, err)
	}
	return e, nil
}

const compiled = "design.vvp"

func (e *Engine) compile(ctx context.Context, compiler *vlog.Found, files []vlog.File) error {
	if err := vlog.Write(e.dir, files); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, compileLimit, fmt.Errorf("longer than %v", compileLimit))
	defer cancel()
	args := append([]string{"-g2005", "-s", vlog.Bench, "-o", compiled}, vlog.Units(files)...)
	_, err := compiler.Run(ctx, e.dir, args...)
	return err
}

// bench reads batches from file descriptor 3 (the number of cycles, then an input record a
// cycle, one hexadecimal word a port) and writes an output record a cycle to descriptor 4.
func bench(top *ir.Module, s verify.Shape) string {
	var b strings.Builder
	clocked := top.Stateful()
	b.WriteString("`default_nettype none\nmodule " + vlog.Bench + ";\n  integer fin, fout, n, got;\n  reg clk, rst;\n")
	var conn []string
	if clocked {
		conn = append(conn, ".clk(clk)", ".rst(rst)")
	}
	formats, args := []string{"%h"}, []string{"rst"}
	zero := "clk = 0; rst = 0;"
	for i, p := range s.In {
		fmt.Fprintf(&b, "  reg [%d:0] i%d;\n", p.Type.Total()-1, i)
		conn = append(conn, fmt.Sprintf(".%s(i%d)", p.Name, i))
		formats, args = append(formats, "%h"), append(args, fmt.Sprintf("i%d", i))
		zero += fmt.Sprintf(" i%d = 0;", i)
	}
	var outFormats, outArgs []string
	for i, p := range s.Out {
		fmt.Fprintf(&b, "  wire [%d:0] o%d;\n", p.Type.Total()-1, i)
		conn = append(conn, fmt.Sprintf(".%s(o%d)", p.Name, i))
		outFormats, outArgs = append(outFormats, "%h"), append(outArgs, fmt.Sprintf(", o%d", i))
	}
	fmt.Fprintf(&b, "  %s %s (%s);\n", top.Name, top.Name, strings.Join(conn, ", "))
	fmt.Fprintf(&b, `  initial begin
    %s
    fin = $fopen("/dev/fd/3", "r");
    fout = $fopen("/dev/fd/4", "w");
    #1;
    got = $fscanf(fin, "%%d", n);
    while (got == 1) begin
      while (n > 0) begin
        got = $fscanf(fin, "%s", %s);
        #1;
        $fwrite(fout, "%s\n"%s);
        clk = 1;
        #1;
        clk = 0;
        n = n - 1;
      end
      $fflush(fout);
      got = $fscanf(fin, "%%d", n);
    end
    $finish(0);
  end
endmodule
`, zero, strings.Join(formats, " "), strings.Join(args, ", "), strings.Join(outFormats, " "), strings.Join(outArgs, ""))
	return b.String()
}

// Name is "icarus".
func (e *Engine) Name() string { return "icarus" }

// process is a running vvp.
type process struct {
	cmd     *exec.Cmd
	to      *os.File
	from    *os.File
	lines   *bufio.Reader
	printed bytes.Buffer
	exited  chan struct{}
}

// Power is described at verify.Engine. It starts vvp anew.
func (e *Engine) Power(seed uint64, img *ir.Image) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stop()
	if e.dir == "" {
		return errors.New("icarus: the engine is closed")
	}
	tables := filepath.Join(e.dir, "tables") // read at time 0, which is before the first answer
	if err := errors.Join(os.RemoveAll(tables), os.Mkdir(tables, 0o755)); err != nil {
		return fmt.Errorf("icarus: %w", err)
	}
	prefix, err := vlog.WriteImage(tables, e.tables, img)
	if err != nil {
		return fmt.Errorf("icarus: %w", err)
	}
	args := []string{"-n", filepath.Join(e.dir, compiled), fmt.Sprintf("+seed=%016x", seed)}
	if prefix != "" {
		args = append(args, "+tables="+prefix)
	}
	e.cycle = 0
	e.proc, err = start(e.vvp.Path, args)
	if err != nil {
		return fmt.Errorf("icarus: starting %s: %w", e.vvp.Path, err)
	}
	return nil
}

func start(path string, args []string) (*process, error) {
	inRead, inWrite, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	outRead, outWrite, err := os.Pipe()
	if err != nil {
		inRead.Close()
		inWrite.Close()
		return nil, err
	}
	p := &process{cmd: exec.Command(path, args...), to: inWrite, from: outRead, lines: bufio.NewReader(outRead), exited: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.printed, &p.printed
	p.cmd.ExtraFiles = []*os.File{inRead, outWrite}
	p.cmd.WaitDelay = 5 * time.Second
	err = p.cmd.Start()
	inRead.Close()
	outWrite.Close()
	if err != nil {
		inWrite.Close()
		outRead.Close()
		return nil, err
	}
	go func() {
		p.cmd.Wait()
		close(p.exited)
	}()
	return p, nil
}

// stop ends the running vvp, by force.
func (e *Engine) stop() {
	p := e.proc
	if p == nil {
		return
	}
	e.proc = nil
	p.cmd.Process.Kill()
	<-p.exited
	p.to.Close()
	p.from.Close()
}

// Run is described at verify.Engine.
func (e *Engine) Run(in, out []uint64, n int) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.proc == nil {
		return errors.New("icarus: Run before Power, after Close or after a failure")
	}
	if n < 0 || len(in) < n*e.shape.InWords || len(out) < n*e.shape.OutWords {
		return fmt.Errorf("icarus: %d cycles need %d words in and %d out, got %d and %d",
			n, n*e.shape.InWords, n*e.shape.OutWords, len(in), len(out))
	}
	if n == 0 {
		return nil
	}
	var late atomic.Bool
	p := e.proc
	timer := time.AfterFunc(e.limit, func() {
		late.Store(true)
		p.cmd.Process.Kill()
	})
	written := make(chan struct{})
	go func() {
		defer close(written)
		p.to.Write(e.stimulus(in, n)) // a failure shows as the missing answer
	}()
	err := e.answers(out, n)
	timer.Stop()
	if err != nil {
		e.stop()
	}
	<-written
	switch {
	case err == nil:
		return nil
	case late.Load():
		return fmt.Errorf("icarus: %d cycles from cycle %d on were not done within %v", n, e.cycle, e.limit)
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return &verify.ToolError{Tool: "vvp", Found: e.vvp.Have, Wanted: e.vvp.Wanted, Package: e.vvp.Package,
			Err: fmt.Errorf("it ended at cycle %d (%v)", e.cycle, p.cmd.ProcessState), Output: strings.TrimSpace(p.printed.String())}
	}
	return fmt.Errorf("icarus: %w", err)
}

// stimulus is a batch as the bench reads it.
func (e *Engine) stimulus(in []uint64, n int) []byte {
	b := strconv.AppendInt(nil, int64(n), 10)
	b = append(b, '\n')
	for range n {
		b = strconv.AppendUint(b, in[0]&1, 16)
		in = in[1:]
		for _, p := range e.shape.In {
			b = append(b, ' ')
			b = append(b, vlog.Hex(p.Type, in[:p.Type.N])...)
			in = in[p.Type.N:]
		}
		b = append(b, '\n')
	}
	return b
}

func (e *Engine) answers(out []uint64, n int) error {
	for range n {
		line, err := e.proc.lines.ReadString('\n')
		if err != nil {
			return err
		}
		fields := strings.Fields(line)
		if len(fields) != len(e.shape.Out) {
			return fmt.Errorf("cycle %d: %d outputs in %q", e.cycle, len(fields), line)
		}
		for i, p := range e.shape.Out {
			if err := parse(out[:p.Type.N], p, fields[i]); err != nil {
				return fmt.Errorf("cycle %d: output %s of %s %w", e.cycle, p.Name, e.top.Name, err)
			}
			out = out[p.Type.N:]
		}
		e.cycle++
	}
	return nil
}

// parse reads a packed hexadecimal word, whose digits are x or z where a bit is not known.
func parse(out []uint64, p *ir.Port, digits string) error {
	clear(out)
	for k := range len(digits) {
		c := digits[len(digits)-1-k]
		v, err := strconv.ParseUint(string(c), 16, 8)
		if err != nil {
			return fmt.Errorf("has element %d not known: %s", min(4*k/p.Type.W, p.Type.N-1), digits)
		}
		for j := range 4 {
			if bit := 4*k + j; bit < p.Type.Total() {
				out[bit/p.Type.W] |= v >> j & 1 << (bit % p.Type.W)
			}
		}
	}
	return nil
}

// Close ends vvp and removes the compiled design.
func (e *Engine) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stop()
	dir := e.dir
	e.dir = ""
	if dir == "" {
		return nil
	}
	return os.RemoveAll(dir)
}
