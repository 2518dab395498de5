package store

import (
	"path"
	"path/filepath"
	"strings"
)

// Names that belong to the store and to no set.
const (
	ManifestName = "manifest.json"

	ownPrefix   = ".certwright"
	lockName    = ".certwright.lock"
	journalName = ".certwright-journal"
	journalTemp = ".certwright-journal.tmp"
	pointerName = ".certwright-pointer"
	txPrefix    = ".certwright-tx-"
	donePrefix  = ".certwright-done-" // what a staging directory is called after its commit
	// evidencePrefix begins the name of a journal that made no sense.
	evidencePrefix = ".certwright-evidence-"
	backupPrefix   = ".certwright-backup-"

	stagedName = "new" // below the staging directory
	undoName   = "old"
)

// Limits of a path: those of Linux and macOS for an element (255 bytes), and
// Windows' for the whole less the destination's own length.
const (
	maxElement = 255
	maxPath    = 1024
)

// CheckPath says whether a path may be written on every system: relative,
// slash-separated, letters, digits and ._+- only, no name that Windows keeps
// for devices, none of the store's own.
func CheckPath(p string) error {
	switch {
	case p == "":
		return invalid("", "a file has no path")
	case len(p) > maxPath:
		return invalid(p, "a path of %d bytes is longer than %d", len(p), maxPath)
	case !filepath.IsLocal(filepath.FromSlash(p)) || path.Clean(p) != p:
		return invalid(p, "not a path below the destination")
	case strings.EqualFold(p, ManifestName):
		return invalid(p, "the store writes this file itself")
	}
	for element := range strings.SplitSeq(p, "/") {
		if why := badElement(element); why != "" {
			return invalid(p, "%s", why)
		}
	}
	return nil
}

// badElement says what is wrong with one element of a path, or "".
func badElement(s string) string {
	if s == "" || len(s) > maxElement {
		return "each part of a path has 1 to 255 bytes"
	}
	for i := range len(s) {
		c := s[i]
		alnum := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !alnum && c != '_' && (i == 0 || !strings.ContainsRune("._+-", rune(c))) && (i != 0 || c != '.') {
			return "a path may hold letters, digits and . _ + -, and each part starts with a letter, a digit, _ or ."
		}
	}
	lower := strings.ToLower(s)
	switch {
	case strings.HasSuffix(s, "."):
		return "Windows drops a dot at the end of a name"
	case strings.HasPrefix(lower, ownPrefix):
		return "names that begin with .certwright belong to the store"
	case isDevice(lower):
		return "Windows keeps this name for a device"
	}
	return ""
}

// isDevice knows the names that Windows takes for devices in any directory and
// with any extension (learn.microsoft.com, "Naming Files, Paths, and Namespaces").
func isDevice(lower string) bool {
	base, _, _ := strings.Cut(lower, ".")
	switch base {
	case "con", "prn", "aux", "nul", "conin$", "conout$":
		return true
	}
	if len(base) == 4 && (strings.HasPrefix(base, "com") || strings.HasPrefix(base, "lpt")) {
		return base[3] >= '0' && base[3] <= '9'
	}
	return false
}
