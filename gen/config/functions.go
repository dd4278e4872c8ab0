package config

import (
	"fmt"
	"math/big"
	"regexp"
	"strconv"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// functions are what expressions may call; names and meanings are those of other HCL tools.
var functions = map[string]function.Function{
	"abs":       stdlib.AbsoluteFunc,
	"ceil":      stdlib.CeilFunc,
	"clog2":     clog2Func,
	"coalesce":  stdlib.CoalesceFunc,
	"concat":    stdlib.ConcatFunc,
	"contains":  stdlib.ContainsFunc,
	"distinct":  stdlib.DistinctFunc,
	"element":   stdlib.ElementFunc,
	"flatten":   stdlib.FlattenFunc,
	"floor":     stdlib.FloorFunc,
	"format":    formatFunc,
	"index":     stdlib.IndexFunc,
	"join":      stdlib.JoinFunc,
	"keys":      stdlib.KeysFunc,
	"length":    stdlib.LengthFunc,
	"log":       stdlib.LogFunc,
	"lookup":    stdlib.LookupFunc,
	"lower":     stdlib.LowerFunc,
	"max":       stdlib.MaxFunc,
	"merge":     stdlib.MergeFunc,
	"min":       stdlib.MinFunc,
	"parseint":  stdlib.ParseIntFunc,
	"pow":       stdlib.PowFunc,
	"range":     stdlib.RangeFunc,
	"replace":   stdlib.ReplaceFunc,
	"reverse":   stdlib.ReverseListFunc,
	"signum":    stdlib.SignumFunc,
	"slice":     stdlib.SliceFunc,
	"sort":      stdlib.SortFunc,
	"split":     stdlib.SplitFunc,
	"strlen":    stdlib.StrlenFunc,
	"substr":    stdlib.SubstrFunc,
	"tobool":    stdlib.MakeToFunc(cty.Bool),
	"tonumber":  stdlib.MakeToFunc(cty.Number),
	"tostring":  stdlib.MakeToFunc(cty.String),
	"trimspace": stdlib.TrimSpaceFunc,
	"upper":     stdlib.UpperFunc,
	"values":    stdlib.ValuesFunc,
}

// clog2Func is the number of bits that tell n things apart, ceil(log2(n)), exact where a
// quotient of logarithms rounds. n is 1 .. 2^62.
var clog2Func = function.New(&function.Spec{
	Description: "Returns ceil(log2(n)) for a whole number n of at least 1.",
	Params:      []function.Parameter{{Name: "n", Type: cty.Number}},
	Type:        function.StaticReturnType(cty.Number),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		f := args[0].AsBigFloat()
		if !f.IsInt() || f.Sign() <= 0 || f.Cmp(big.NewFloat(1<<62)) > 0 {
			return cty.UnknownVal(cty.Number), function.NewArgErrorf(0, "must be a whole number, 1 .. 2^62, not %s", show(args[0]))
		}
		n, _ := f.Uint64()
		bits := int64(0)
		for uint64(1)<<bits < n {
			bits++
		}
		return cty.NumberIntVal(bits), nil
	},
})

var longField = regexp.MustCompile(`\d{3,}`)

// formatFunc is format without fields so wide that they would fill memory.
var formatFunc = function.New(&function.Spec{
	Description: stdlib.FormatFunc.Description(),
	Params:      stdlib.FormatFunc.Params(),
	VarParam:    stdlib.FormatFunc.VarParam(),
	Type:        function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		for _, digits := range longField.FindAllString(args[0].AsString(), -1) {
			if n, err := strconv.Atoi(digits); err != nil || n > 1000 {
				return cty.UnknownVal(cty.String), function.NewArgError(0, fmt.Errorf("a field of %s characters; at most 1,000 are allowed", digits))
			}
		}
		return stdlib.FormatFunc.Call(args)
	},
})
