//go:build unix

package cli

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// readFor reads what comes within a time, or until done says that it is all.
// It leaves the file blocking and reads nothing that comes later.
func readFor(in *os.File, limit time.Duration, done func([]byte) bool) []byte {
	var got []byte
	end := time.Now().Add(limit)
	for len(got) < 1024 && !done(got) {
		left := time.Until(end)
		if left <= 0 {
			break
		}
		fds := []unix.PollFd{{Fd: int32(in.Fd()), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, int(left.Milliseconds())+1)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			break
		}
		var b [256]byte
		m, err := unix.Read(int(in.Fd()), b[:])
		if err != nil || m == 0 {
			break
		}
		got = append(got, b[:m]...)
	}
	return got
}
