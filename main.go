// Ohmloom generates hybrid analog/digital accelerators for 1-bit language models.
package main

import (
	"os"

	"ohmloom/gen/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
