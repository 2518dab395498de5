package quiet

import (
	"strings"
	"syscall"
)

// Terminal libraries write what they draw, or the value of a panic, to files
// that their own variables name: bubbletea v2 does with TEA_TRACE and TEA_DEBUG.
// What is drawn may hold what a person pasted, so none of them reaches a library.
func init() {
	for _, e := range syscall.Environ() {
		if name, _, _ := strings.Cut(e, "="); isDebug(name) {
			_ = syscall.Unsetenv(name)
		}
	}
}

func isDebug(name string) bool {
	for _, prefix := range []string{"TEA_", "BUBBLETEA_", "LIPGLOSS_"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	// cobra appends to this file what it is asked to complete.
	return name == "BASH_COMP_DEBUG_FILE"
}
