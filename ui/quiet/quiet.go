// Package quiet keeps the terminal library silent while the program starts.
// Importing bubbletea v1 asks the terminal for its background in an init
// function and waits up to five seconds for the answer, for headless commands
// too. A terminal that calls itself dumb is not asked: so main imports this
// package, and calls Restore before anything else.
//
// It imports nothing but syscall. Go initialises packages that are ready in the
// order of their import paths, so this one runs before bubbletea's.
package quiet

import "syscall"

var (
	term  string
	known bool
)

func init() {
	term, known = syscall.Getenv("TERM")
	_ = syscall.Setenv("TERM", "dumb") // the worst that a failure costs is the wait
}

// Restore gives TERM back as it was when the program started. Call it first in main.
func Restore() {
	if known {
		_ = syscall.Setenv("TERM", term)
		return
	}
	_ = syscall.Unsetenv("TERM")
}
