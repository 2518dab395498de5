package cli

import "golang.org/x/sys/unix"

func noCore() {
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	// Also for a core that is piped to a program, which no limit stops, and for
	// ptrace and /proc/PID/mem.
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
}
