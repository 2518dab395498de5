//go:build unix && !linux

package wizard

import "golang.org/x/sys/unix"

const termiosRequest = unix.TIOCGETA
