package cli

import "runtime/debug"

// Harden keeps what the process holds out of the files that a crash leaves: no
// core is dumped, no other process of the same user may look into its memory,
// and a crash prints the stack of one goroutine. Call it once, first. What a
// system does not offer is left out.
//
// GOTRACEBACK in the environment has the last word on the stacks, not on cores.
func Harden() {
	debug.SetTraceback("single")
	noCore()
}
