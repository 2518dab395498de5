package install

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"github.com/spf13/afero"

	"certwright/certs/material"
	"certwright/certs/untrusted"
)

// ReadError says why a file was not read, under the rule that it breaks.
type ReadError struct {
	Rule    string // file-not-found, file-unreadable, not-a-regular-file, file-too-large
	Path    string
	Message string // what, with the path, escaped
	Fix     string
	Err     error
}

func (e *ReadError) Error() string { return e.Message + "; " + e.Fix }

func (e *ReadError) Unwrap() error { return e.Err }

// ReadInput reads a file that a person named: a regular file of at most
// material.MaxCertificates bytes. A FIFO, a device, a directory or a file of
// the kernel is refused without being opened for reading. The error is a *ReadError.
func ReadInput(fsys afero.Fs, path string) (material.Input, error) {
	in, _, err := readStat(fsys, path)
	return in, err
}

// readInput is ReadInput of a path whose symbolic links were followed: to at.
func readInput(fsys afero.Fs, path, at string) (material.Input, fs.FileInfo, error) {
	data, info, err := readFile(fsys, path, at, material.MaxCertificates)
	if err != nil {
		return material.Input{}, nil, err
	}
	return material.Input{Name: path, Data: data, Mode: info.Mode().Perm()}, info, nil
}

// readStat is ReadInput, and the state of the file when it was opened.
func readStat(fsys afero.Fs, path string) (material.Input, fs.FileInfo, error) {
	return readInput(fsys, path, resolved(fsys, path))
}

// ReadFile reads a file of another kind (a plan, a profile, a passphrase) by the same rules.
func ReadFile(fsys afero.Fs, path string, limit int) ([]byte, error) {
	data, _, err := readFile(fsys, path, resolved(fsys, path), limit)
	return data, err
}

func readFile(fsys afero.Fs, path, at string, limit int) ([]byte, fs.FileInfo, error) {
	shown := untrusted.Text(path)
	if err := refusedPath(path, at); err != nil {
		return nil, nil, err
	}
	info, err := fsys.Stat(path)
	if err != nil {
		return nil, nil, notRead(path, err)
	}
	if err := regular(path, info); err != nil {
		return nil, nil, err
	}
	flags := os.O_RDONLY
	if _, real := fsys.(*afero.OsFs); real {
		// Should a FIFO take the file's place between the look and the opening,
		// the opening still returns, and the second look finds it.
		flags |= syscall.O_NONBLOCK
	}
	f, err := fsys.OpenFile(path, flags, 0)
	if err != nil {
		return nil, nil, notRead(path, err)
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil {
		return nil, nil, notRead(path, err)
	}
	if err := regular(path, info); err != nil {
		return nil, nil, err
	}
	// The size is a claim; the limit is held by counting.
	var buf bytes.Buffer
	buf.Grow(int(min(info.Size(), int64(limit))) + bytes.MinRead)
	if _, err := buf.ReadFrom(io.LimitReader(f, int64(limit)+1)); err != nil {
		return nil, nil, notRead(path, err)
	}
	data := buf.Bytes()
	if len(data) > limit {
		size := max(int(info.Size()), len(data))
		return nil, nil, &ReadError{
			Rule: "file-too-large", Path: path,
			Message: fmt.Sprintf("%s is %s, and at most %s are read", shown, untrusted.Size(size), untrusted.Size(limit)),
			Fix:     "keep only the certificates of the chain in it",
		}
	}
	return data, info, nil
}

// resolved is where a path leads over symbolic links, "" where no kernel keeps
// files of its own.
func resolved(fsys afero.Fs, path string) string {
	if _, real := fsys.(*afero.OsFs); !real || runtime.GOOS == "windows" {
		return ""
	}
	at, err := filepath.Abs(path)
	if err != nil {
		return ""
	}
	if target, err := filepath.EvalSymlinks(at); err == nil {
		at = target
	}
	return at
}

// memory is where Linux has files of everybody's, though below /dev: a good place
// for keys that shall be on no disk.
const memory = "/dev/shm/"

// refusedPath refuses the kernel's own file systems: what lies there looks like
// a regular file and is none. at is where the path leads.
func refusedPath(path, at string) error {
	if strings.HasPrefix(at, memory) {
		return nil
	}
	for _, root := range []string{"/proc/", "/sys/", "/dev/"} {
		if strings.HasPrefix(at+"/", root) {
			return &ReadError{
				Rule: "not-a-regular-file", Path: path,
				Message: fmt.Sprintf("%s lies in %s, where files are the kernel's and not yours", untrusted.Text(path), strings.TrimSuffix(root, "/")),
				Fix:     "copy what you mean to a file of your own and name that",
			}
		}
	}
	return nil
}

func regular(path string, info fs.FileInfo) error {
	mode := info.Mode()
	if mode.IsRegular() {
		return nil
	}
	what, fix := "is not a regular file", "name the file itself"
	switch {
	case mode.IsDir():
		what, fix = "is a directory", "name the file inside it"
	case mode&fs.ModeNamedPipe != 0:
		what, fix = "is a FIFO (named pipe), and reading one may never end", "write what it would give to a file and name that"
	case mode&fs.ModeSocket != 0:
		what = "is a socket"
	case mode&fs.ModeDevice != 0:
		what = "is a device"
	}
	return &ReadError{Rule: "not-a-regular-file", Path: path, Message: fmt.Sprintf("%s %s", untrusted.Text(path), what), Fix: fix}
}

func notRead(path string, err error) error {
	e := &ReadError{Path: path, Err: err}
	text := untrusted.Text(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.Rule, e.Message, e.Fix = "file-not-found", fmt.Sprintf("%s does not exist", text), "check the path: $ ls -l "+text.ShellArg()
	case errors.Is(err, fs.ErrPermission):
		e.Rule, e.Message, e.Fix = "file-unreadable", fmt.Sprintf("%s may not be read: permission denied", text), "run as its owner, or: $ sudo chown $USER "+text.ShellArg()
	case errors.Is(err, syscall.ENOTDIR):
		e.Rule, e.Message, e.Fix = "file-not-found", fmt.Sprintf("%s does not exist: a part of its path is not a directory", text), "check the path"
	case errors.Is(err, syscall.ELOOP):
		e.Rule, e.Message, e.Fix = "file-not-found", fmt.Sprintf("%s leads round in a circle of symbolic links", text), "name the file itself"
	default:
		cause := err
		var p *fs.PathError
		if errors.As(err, &p) {
			cause = p.Err
		}
		e.Rule, e.Message, e.Fix = "file-unreadable", fmt.Sprintf("%s cannot be read: %s", text, untrusted.Text(cause.Error())), "check the path and the disk"
	}
	return e
}
