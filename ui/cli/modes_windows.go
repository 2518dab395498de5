package cli

import "io/fs"

// openToOthers is never known from a mode, which Windows makes up.
func openToOthers(fs.FileMode) bool { return false }
