package crashfs

import "slices"

// MountPoint knows the directories of Mount.
func (f *FS) MountPoint(name string) (bool, error) {
	i, err := f.find(name)
	return err == nil && i.mount, nil
}

// Mount makes an existing directory, durable or not, the mount point of an empty
// device of its own: no rename and no link crosses it, no SyncAll reaches over
// it. A mount is no write: no crash undoes it.
func (f *FS) Mount(name string) {
	f.devs++
	i := f.newInode(f.devs, true, 0o755)
	i.mount = true
	f.put(name, i)
}

// Unmount hides a device, as a machine that has started without it does; what it
// returns mounts it again.
func (f *FS) Unmount(name string) (again func()) {
	dir, _, err := f.parent(name)
	i, err2 := f.find(name)
	if err != nil || err2 != nil {
		panic(name)
	}
	f.put(name, f.newInode(dir.dev, true, 0o755))
	return func() { f.put(name, i) }
}

// put exchanges a directory behind everybody's back.
func (f *FS) put(name string, i *inode) {
	dir, base, err := f.parent(name)
	if err != nil {
		panic(err)
	}
	f.log = slices.DeleteFunc(f.log, func(c *change) bool { return c.dir == dir && c.name == base })
	dir.kids[base], dir.durKids[base] = i, i
}
