// SPDX-License-Identifier: Apache-2.0

// Package scripts gives Go code the one table of external tools that the
// shell scripts beside it read. Package gen/tools parses it.
package scripts

import _ "embed"

// ToolTable is the text of tools.tsv; its first lines explain the columns.
//
//go:embed tools.tsv
var ToolTable string
