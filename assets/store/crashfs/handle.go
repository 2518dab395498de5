package crashfs

import (
	"cmp"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"syscall"
	"time"
)

// handle is an open file.
type handle struct {
	fs     *FS
	i      *inode
	name   string
	flag   int
	at     int64
	listed bool
	closed bool
}

func (h *handle) Name() string { return h.name }

func (h *handle) do(name string, body func() error) error {
	if h.closed {
		return os.ErrClosed
	}
	return h.fs.do(Op{Name: name, Path: h.name}, body)
}

// Close is an operation that may fail; the handle is gone all the same.
func (h *handle) Close() error {
	if h.flag&(os.O_WRONLY|os.O_RDWR) == 0 {
		h.closed = true
		return nil
	}
	err := h.do("close", func() error { return nil })
	h.closed = true
	return err
}

func (h *handle) Read(p []byte) (n int, err error) {
	n, err = h.ReadAt(p, h.at)
	h.at += int64(n)
	if n > 0 && err == io.EOF {
		err = nil
	}
	return n, err
}

func (h *handle) ReadAt(p []byte, off int64) (n int, err error) {
	err = h.do("read", func() error {
		switch {
		case h.i.dir:
			return syscall.EISDIR
		case h.flag&os.O_WRONLY != 0:
			return syscall.EBADF
		}
		if off < int64(len(h.i.data)) {
			n = copy(p, h.i.data[off:])
		}
		return nil
	})
	if err == nil && n < len(p) {
		err = io.EOF
	}
	return n, err
}

func (h *handle) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += h.at
	case io.SeekEnd:
		offset += int64(len(h.i.data))
	}
	h.at = offset
	return offset, nil
}

func (h *handle) Write(p []byte) (int, error) {
	n, err := h.WriteAt(p, h.at)
	h.at += int64(n)
	return n, err
}

// WriteAt writes as much as the budget allows.
func (h *handle) WriteAt(p []byte, off int64) (n int, err error) {
	err = h.do("write", func() error {
		if h.flag&(os.O_WRONLY|os.O_RDWR) == 0 {
			return syscall.EBADF
		}
		n = len(p)
		if grow := off + int64(n) - int64(len(h.i.data)); grow > 0 && h.fs.Budget != nil {
			if room := *h.fs.Budget; room < grow {
				n = max(0, n-int(grow-room))
				grow = room
			}
			*h.fs.Budget -= grow
		}
		end := int(off) + n
		data := make([]byte, max(end, len(h.i.data)))
		copy(data, h.i.data)
		copy(data[off:], p[:n])
		h.i.data, h.i.dirty = data, true
		if n < len(p) {
			return syscall.ENOSPC
		}
		return nil
	})
	return n, err
}

func (h *handle) WriteString(s string) (int, error) { return h.Write([]byte(s)) }

func (h *handle) Truncate(size int64) error {
	return h.do("truncate", func() error {
		data := make([]byte, size)
		copy(data, h.i.data)
		h.i.data, h.i.dirty = data, true
		return nil
	})
}

// Chmod sets the mode of the open file.
func (h *handle) Chmod(mode fs.FileMode) error {
	return h.do("chmod", func() error {
		h.i.mode, h.i.dirty = mode.Perm(), true
		return nil
	})
}

// Sync makes the bytes and the mode durable, not the name.
func (h *handle) Sync() error {
	if h.i.dir {
		return h.fs.SyncDir(h.name)
	}
	return h.do("sync", func() error { h.i.sync(); return nil })
}

func (h *handle) Stat() (fs.FileInfo, error) { return h.i.info(path.Base(h.name)), nil }

// Readdir lists all at once, sorted.
func (h *handle) Readdir(int) (out []fs.FileInfo, err error) {
	err = h.do("list", func() error {
		if !h.i.dir {
			return syscall.ENOTDIR
		}
		if h.listed {
			return nil
		}
		h.listed = true
		for name, i := range h.i.kids {
			out = append(out, i.info(name))
		}
		slices.SortFunc(out, func(a, b fs.FileInfo) int { return cmp.Compare(a.Name(), b.Name()) })
		return nil
	})
	return out, err
}

func (h *handle) Readdirnames(n int) (names []string, err error) {
	infos, err := h.Readdir(n)
	for _, info := range infos {
		names = append(names, info.Name())
	}
	return names, err
}

type info struct {
	name string
	size int64
	mode fs.FileMode
	i    *inode
}

func (i *inode) info(name string) fs.FileInfo {
	mode := i.mode
	if i.dir {
		mode |= fs.ModeDir
	}
	return info{name, int64(len(i.data)), mode, i}
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.size }
func (i info) Mode() fs.FileMode  { return i.mode }
func (i info) ModTime() time.Time { return time.Time{} }
func (i info) IsDir() bool        { return i.mode.IsDir() }
func (i info) Sys() any           { return i.i }
