package wizard

import "syscall"

const hangUp = syscall.SIGHUP
