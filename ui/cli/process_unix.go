//go:build unix && !linux

package cli

import "golang.org/x/sys/unix"

func noCore() {
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
}
