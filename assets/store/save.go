package store

import (
	"crypto/rand"
	"encoding/hex"
	"io/fs"
	"path/filepath"
)

// Save writes one file that belongs to no set, such as a plan: a new file
// beside its place with the exact mode, synced, then renamed over the old one.
// After a crash there is the old file or the new one. The directory must exist.
func Save(fsys FS, name string, data []byte, mode fs.FileMode) error {
	dir, base := filepath.Split(filepath.Clean(name))
	if dir == "" {
		dir = "."
	}
	root, err := fsys.OpenRoot(dir)
	if err != nil {
		return failed("open the directory of", name, err)
	}
	defer root.Close()
	if info, err := root.Lstat(base); err == nil && !info.Mode().IsRegular() {
		return refused(name, "choose another name", "%s is in the way", typeName(info.Mode()))
	}
	var raw [8]byte
	rand.Read(raw[:]) // never fails (Go 1.24)
	temp := ".certwright-save-" + hex.EncodeToString(raw[:])
	if err := putFile(root, temp, data, mode, true); err != nil {
		root.Remove(temp)
		return failed("write", name, err)
	}
	if err := move(root, temp, base); err != nil {
		root.Remove(temp)
		return failed("write", name, err)
	}
	if err := syncNames(root, "."); err != nil {
		return &Error{
			Kind: Pending, Op: "sync the directory of", Path: name, Err: err,
			State: "the new file is in place, but the disk did not confirm it", Next: "see to the disk, then run sync",
		}
	}
	return nil
}
