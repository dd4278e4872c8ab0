package hw

// Pace is how an instruction occupies its unit, to order instructions by: the unit can take the
// next Busy cycles after it took this one, and the result is there after Latency. Both hold for
// a unit that does nothing else, and are about right for others.
type Pace struct{ Busy, Latency int }

// Paces are those of a chip's instructions, at a middle length of text.
type Paces struct {
	Norm, Add, Load Pace
	Root            int // no add or load begins so many cycles after another
	Attend          Pace
}

// Paces are the times of the units other than banks.
func (b Chip) Paces() Paces {
	const command, through = 3, 4 // from the sequencer to a unit, from a buffer through it into another
	u := b.unit()
	beats := u.Beats()
	write := Pace{beats + 2, beats + u.Wait() + command}
	p := Paces{Norm: Pace{beats + 2, beats + u.norm().latency() + through}, Add: write, Load: write, Root: beats + u.Wait() + 1}
	engine := b.Attention.(timedEngine)
	context, _ := b.Attention.(headEngine).cached()
	slots := ceilDiv(context, 2)
	pass := engine.passBehind(slots, 0)
	p.Attend = Pace{pass, pass + through}
	if _, column := b.Attention.(AttentionColumn); !column { // passes of a block overlap
		p.Attend.Busy = max(engine.ArrayCycles(slots), engine.PortCycles(slots), ceilDiv(pass, flightPasses))
	}
	return p
}

// Pace is that of operation op of a bank.
func (b Chip) Pace(bank, op int) Pace {
	k := b.bank(bank)
	s := k.Program[op].Shape()
	t := k.Time(s)
	return Pace{max(t.Distribute, k.reads(s)) + k.converting(), t.Total() + 4}
}
