//go:build !windows

package cli

import "io/fs"

// openToOthers says whether more people than the owner may read a file.
func openToOthers(m fs.FileMode) bool { return m.Perm()&0o077 != 0 }
