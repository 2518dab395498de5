package install

import (
	"math"
	"os"
	"runtime/debug"
	"sync"
)

// A fleet makes garbage fast and keeps little. The collector may let it lie up to
// memoryBudget, so that it costs little time, and not beyond, so that a cluster
// of 10,000 nodes takes no more memory than one of 1,000.
const (
	memoryBudget = 40 << 20 // bytes that the Go runtime holds
	lazyGC       = 400      // percent
)

// spending counts who spends: the settings are the process's.
var spending struct {
	sync.Mutex
	n, percent int
	limit      int64 // as it was
}

// Spend gives the collector its budget for good. It is for a command that makes
// one set and ends: what that one throws away need not be collected at all.
func Spend() { spend() }

// spend gives the collector its budget until the returned function is called,
// and that of all others who spend meanwhile. A person's own GOGC and GOMEMLIMIT
// are left alone.
func spend() (restore func()) {
	s := &spending
	s.Lock()
	defer s.Unlock()
	if s.n == 0 {
		if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" || debug.SetMemoryLimit(-1) != math.MaxInt64 {
			return func() {}
		}
		s.limit, s.percent = debug.SetMemoryLimit(memoryBudget), debug.SetGCPercent(lazyGC)
	}
	s.n++
	return func() {
		s.Lock()
		defer s.Unlock()
		if s.n--; s.n == 0 {
			debug.SetMemoryLimit(s.limit)
			debug.SetGCPercent(s.percent)
		}
	}
}
