package rtl

// initFile is included by every module with state, in simulation only.
const initFile = "ohmloom_init.vh"

// initNames are the names the file declares.
var initNames = []string{"ohmloom_init", "ohmloom_key", "ohmloom_index", "ohmloom_word",
	"ohmloom_belongs", "ohmloom_tables", "ohmloom_path", "ohmloom_name", "ohmloom_file", "ohmloom_got", "ohmloom_own", "ohmloom_set"}

// initText computes ir.InitWord: word i of a register or memory whose name has the hash key.
// The seed is given with +seed=<hex>, 0 when absent.
const initText = `// SPDX-License-Identifier: Apache-2.0
//
// Power-on words of a simulation: SplitMix64 of the seed (+seed=<hex>), the hash of
// "module.register" and the number of the element, as the other engines compute them.
// Included in the body of each module with state. A task: the result of a function would be
// a name that hides the function of the module above.
task ohmloom_init;
  input [63:0] ohmloom_key;
  input integer ohmloom_index;
  output [63:0] ohmloom_word;
  begin
    if (!$value$plusargs("seed=%h", ohmloom_word)) ohmloom_word = 64'd0;
    ohmloom_word = (ohmloom_word ^ ohmloom_key) + {32'd0, ohmloom_index} + 64'h9e3779b97f4a7c15;
    ohmloom_word = (ohmloom_word ^ (ohmloom_word >> 30)) * 64'hbf58476d1ce4e5b9;
    ohmloom_word = (ohmloom_word ^ (ohmloom_word >> 27)) * 64'h94d049bb133111eb;
    ohmloom_word = ohmloom_word ^ (ohmloom_word >> 31);
  end
endtask

// Ends the simulation when a table is of another set than its folder, which file "set" names:
// made with other weights, effects or another seed. Says which table of such a folder is missing.
task ohmloom_belongs;
  input [4095:0] ohmloom_tables;
  input [8191:0] ohmloom_path;
  reg [8191:0] ohmloom_name;
  reg [255:0] ohmloom_own;
  reg [255:0] ohmloom_set;
  integer ohmloom_file;
  integer ohmloom_got;
  begin
    ohmloom_own = 256'd0;
    ohmloom_set = 256'd0;
    $sformat(ohmloom_name, "%0sset", ohmloom_tables);
    ohmloom_file = $fopen(ohmloom_name, "r");
    if (ohmloom_file != 0) begin
      ohmloom_got = $fscanf(ohmloom_file, "%h", ohmloom_set);
      $fclose(ohmloom_file);
      ohmloom_file = $fopen(ohmloom_path, "r");
      if (ohmloom_file == 0) begin
        $display("%0s: there is no such table, the memory starts from random words", ohmloom_path);
        ohmloom_own = ohmloom_set;
        ohmloom_got = 1;
      end else begin
        ohmloom_got = $fscanf(ohmloom_file, "// set %h", ohmloom_own);
        $fclose(ohmloom_file);
      end
      if (ohmloom_got != 1 || ohmloom_own !== ohmloom_set) begin
        $display("%0s: this table is of set %h, the other tables are of set %h", ohmloom_path, ohmloom_own, ohmloom_set);
        $finish;
      end
    end
  end
endtask
`
