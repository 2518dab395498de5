package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// oNonblock keeps an open from waiting for the other end of a FIFO.
const oNonblock = unix.O_NONBLOCK

// noOpenat2 is set where the kernel (before Linux 5.6) or a sandbox has no
// openat2.
var noOpenat2 atomic.Bool

// openBeneath opens a regular file below dir, or makes one with O_EXCL, by one
// call of the system where os.Root makes one for each element of the path: the
// kernel itself sees to it that no link is on the way and that the way does not
// lead out (openat2(2)). It is nil for all else, and for every error: os.Root
// then says what is wrong, and follows the links that it may follow.
func openBeneath(dir *os.File, name string, flag int, perm fs.FileMode) *os.File {
	create := flag&os.O_CREATE != 0
	if create && flag&os.O_EXCL == 0 {
		return nil
	}
	mode := fs.FileMode(0)
	if create {
		flag &^= oNonblock // for FIFOs, and this is a new file
		mode = perm.Perm()
	}
	fd, ok := openat2(dir, name, flag, mode)
	if !ok {
		return nil
	}
	var s unix.Stat_t
	if !create && (unix.Fstat(fd, &s) != nil || s.Mode&unix.S_IFMT != unix.S_IFREG) {
		unix.Close(fd)
		return nil
	}
	return os.NewFile(uintptr(fd), filepath.Join(dir.Name(), name))
}

func openat2(dir *os.File, name string, flag int, mode fs.FileMode) (fd int, ok bool) {
	if noOpenat2.Load() {
		return -1, false
	}
	fd, err := unix.Openat2(int(dir.Fd()), name, &unix.OpenHow{
		Flags: uint64(flag | unix.O_CLOEXEC | unix.O_NOFOLLOW), Mode: uint64(mode),
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	})
	if errors.Is(err, unix.ENOSYS) {
		noOpenat2.Store(true)
	}
	return fd, err == nil
}

// imageBeneath reads a regular file back by four calls of the system: 50,000 of
// them are compared after a sync. It knows nothing of all else, and of a file that
// cannot be read: who then opens it in the usual way finds out.
func imageBeneath(dir *os.File, name string) (is image, known bool) {
	fd, ok := openat2(dir, name, os.O_RDONLY|oNonblock, 0)
	if !ok {
		return image{}, false
	}
	defer unix.Close(fd)
	var s unix.Stat_t
	if unix.Fstat(fd, &s) != nil || s.Mode&unix.S_IFMT != unix.S_IFREG {
		return image{}, false
	}
	is = image{size: s.Size, mode: fs.FileMode(s.Mode & 0o777)}
	var err error
	is.sum, err = digestOf(descriptor(fd), s.Size)
	return is, err == nil
}

// putBeneath writes a new regular file by three calls of the system, and without
// what the os package keeps for each open file.
func putBeneath(dir *os.File, name string, data []byte, mode fs.FileMode) (done bool, err error) {
	fd, ok := openat2(dir, name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode.Perm())
	if !ok {
		return false, nil // who makes it in the usual way finds out why
	}
	for len(data) > 0 && err == nil {
		n, werr := unix.Write(fd, data)
		switch {
		case errors.Is(werr, unix.EINTR):
		case werr != nil:
			err = &fs.PathError{Op: "write", Path: name, Err: werr}
		case n == 0:
			err = io.ErrShortWrite
		default:
			data = data[n:]
		}
	}
	if cerr := unix.Close(fd); cerr != nil && err == nil && !errors.Is(cerr, unix.EINTR) {
		err = &fs.PathError{Op: "close", Path: name, Err: cerr}
	}
	return true, err
}

// descriptor reads an open file that is nobody else's.
type descriptor int

func (d descriptor) Read(b []byte) (int, error) {
	n, err := unix.Read(int(d), b)
	if err == nil && n == 0 {
		err = io.EOF
	}
	return max(n, 0), err
}

// flock takes an open file description lock, which NFS honours too and which
// dies with the process. Where there is none, flock(2).
func flock(f *os.File) error {
	lock := unix.Flock_t{Type: unix.F_WRLCK}
	err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &lock)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	return err
}

func removeLocked(root *os.Root, name string) error { return root.Remove(name) }

// Magic numbers of statfs(2).
var kinds = map[int64]string{
	unix.EXT4_SUPER_MAGIC: "ext4", unix.XFS_SUPER_MAGIC: "xfs", unix.BTRFS_SUPER_MAGIC: "btrfs",
	unix.F2FS_SUPER_MAGIC: "f2fs", unix.TMPFS_MAGIC: "tmpfs", unix.OVERLAYFS_SUPER_MAGIC: "overlay",
	unix.NFS_SUPER_MAGIC: "nfs", unix.SMB2_SUPER_MAGIC: "smb", unix.SMB_SUPER_MAGIC: "smb",
	unix.CIFS_SUPER_MAGIC: "cifs", unix.FUSE_SUPER_MAGIC: "fuse", unix.MSDOS_SUPER_MAGIC: "vfat",
	unix.PROC_SUPER_MAGIC: "proc", unix.SYSFS_MAGIC: "sysfs", unix.V9FS_MAGIC: "9p",
	0x2fc12fc1: "zfs", 0xca451a4e: "bcachefs", unix.CEPH_SUPER_MAGIC: "ceph",
}

func volumeOf(dir *os.File) (Volume, error) {
	var s unix.Statfs_t
	if err := unix.Fstatfs(int(dir.Fd()), &s); err != nil {
		return Volume{}, err
	}
	kind := kinds[int64(s.Type)]
	return Volume{
		Kind: kind, Free: s.Bavail * uint64(s.Bsize), Known: true,
		ReadOnly: s.Flags&unix.ST_RDONLY != 0,
		Network:  kind == "nfs" || kind == "smb" || kind == "cifs" || kind == "9p" || kind == "ceph" || kind == "fuse",
	}, nil
}

// mountedOn asks for the attribute that a mount's root has (Linux 5.8): the
// number of the device is the same on both sides of a bind mount, and differs
// between the files and directories of an overlay.
func mountedOn(dir *os.File, base string) (bool, error) {
	var s unix.Statx_t
	err := unix.Statx(int(dir.Fd()), base, unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT, unix.STATX_BASIC_STATS, &s)
	switch {
	case errors.Is(err, unix.ENOENT):
		return false, nil
	case errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM): // an old kernel, or a sandbox that knows no statx
		return otherDevice(dir, base)
	case err != nil:
		return false, &fs.PathError{Op: "statx", Path: base, Err: err}
	case s.Attributes_mask&unix.STATX_ATTR_MOUNT_ROOT == 0:
		return otherDevice(dir, base)
	}
	return s.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0, nil
}

// mountedBeneath is mountedOn for a path of several elements, in one call. It
// knows nothing where there is anything but a plain answer.
func mountedBeneath(dir *os.File, name string) (mounted, known bool) {
	var s unix.Statx_t
	err := unix.Statx(int(dir.Fd()), name, unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT, unix.STATX_BASIC_STATS, &s)
	if err != nil || s.Attributes_mask&unix.STATX_ATTR_MOUNT_ROOT == 0 {
		return false, false
	}
	return s.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0, true
}

// syncAll is syncfs(2) where it both syncs and reports: file systems on a disk
// of their own, Linux 5.8 or newer. FUSE ignores it, overlayfs does not pass
// the errors of its upper layer on.
func syncAll(dir *os.File) error {
	v, err := volumeOf(dir)
	if err != nil {
		return err
	}
	switch v.Kind {
	case "ext4", "xfs", "btrfs", "f2fs", "tmpfs":
	default:
		return ErrUnsupported
	}
	if !syncfsReports() {
		return ErrUnsupported
	}
	return unix.Syncfs(int(dir.Fd()))
}

// syncfsReports says whether this kernel's syncfs reports write-back errors.
var syncfsReports = sync.OnceValue(func() bool {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return false
	}
	release := strings.SplitN(unix.ByteSliceToString(u.Release[:]), ".", 3)
	if len(release) < 2 {
		return false
	}
	major, err1 := strconv.Atoi(release[0])
	minor, err2 := strconv.Atoi(release[1])
	return err1 == nil && err2 == nil && (major > 5 || major == 5 && minor >= 8)
})

func identityOf(info fs.FileInfo) (Identity, bool) {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return Identity{}, false
	}
	return Identity{Dev: uint64(s.Dev), Ino: s.Ino, Links: uint64(s.Nlink), UID: s.Uid}, true
}

// syncDir syncs and closes a directory. Some file systems (CIFS, FUSE, old NFS)
// have no such call; that is ErrUnsupported.
func syncDir(d *os.File) error {
	defer d.Close()
	err := d.Sync()
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.ENOTTY) {
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	return err
}

func closed(dir string) bool {
	return errors.Is(unix.Access(dir, unix.W_OK|unix.X_OK), unix.EACCES)
}
