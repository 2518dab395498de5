package store

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"sync"

	"github.com/spf13/afero"
)

// hashFile is the SHA-256 of a file that nobody waits in (oNonblock).
func hashFile(fsys afero.Fs, name string) (string, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	return hashOf(f)
}

// buffers are for reading: a fleet has 40,000 files, and each may be a key, so
// a buffer goes back empty.
var buffers = sync.Pool{New: func() any { return new([16 << 10]byte) }}

func hashOf(r io.Reader) (string, error) {
	sum, err := digestOf(r, -1)
	return hex.EncodeToString(sum[:]), err
}

// digestOf is the SHA-256 of all that there is to read, or of as many bytes as are
// known to be there: a read that only finds the end is saved.
func digestOf(r io.Reader, size int64) (sum [sha256.Size]byte, err error) {
	buf := buffers.Get().(*[16 << 10]byte)
	used := 0
	defer func() {
		clear(buf[:used])
		buffers.Put(buf)
	}()
	h := sha256.New()
	for size != 0 {
		part := buf[:]
		if size > 0 {
			part = buf[:min(size, int64(len(buf)))]
		}
		n, err := r.Read(part)
		used = max(used, n)
		h.Write(buf[:n])
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return sum, err
		}
		if size > 0 {
			size -= int64(n)
		}
	}
	h.Sum(sum[:0])
	return sum, nil
}
