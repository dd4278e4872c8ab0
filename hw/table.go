package hw

// Table lists every block; the generic test and the documentation walk through it.
var Table = []Entry{
	{"array", "output-stationary systolic array", randomArray, arrayWork},
}
