package store

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"time"

	"github.com/spf13/afero"
)

// maxManifest bounds what is read as a manifest or a journal: 10,000 nodes with
// four files each need 12 MB.
const maxManifest = 64 << 20

// ReadManifest reads dir/manifest.json. Its error is fs.ErrNotExist when there
// is none, otherwise an Error of kind Invalid that names the entry.
func ReadManifest(fsys afero.Fs, dir string) (*Manifest, error) {
	return readManifest(fsys, dir, nil)
}

// readManifest reads it beside one that was read before: what is the same in
// both takes no more memory.
func readManifest(fsys afero.Fs, dir string, before *Manifest) (*Manifest, error) {
	name := filepath.Join(dir, ManifestName)
	if info, err := fsys.Stat(name); err == nil && !info.Mode().IsRegular() {
		return nil, invalid(name, "%s, not a regular file", typeName(info.Mode())) // opening a FIFO would wait
	}
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	in := &bounded{r: f, left: maxManifest}
	m, err := parseManifest(in, before)
	switch {
	case errors.Is(in.err, errTooBig):
		return nil, invalid(name, "%w: %d bytes at most", in.err, maxManifest)
	case in.err != nil:
		return nil, in.err
	case err != nil:
		return nil, &Error{
			Kind: Invalid, Path: name, Err: err, State: unchanged,
			Next: "restore the file from a backup, or write the set to another directory with --out",
		}
	}
	return m, nil
}

// bounded reads so many bytes, and remembers why it could not.
type bounded struct {
	r    io.Reader
	left int64
	err  error
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if b.left -= int64(n); b.left < 0 {
		n, err = 0, errTooBig
	}
	if err != nil && !errors.Is(err, io.EOF) {
		b.err = err
	}
	return n, err
}

// parseManifest is strict: an entry that is not sound could have recovery or an
// overwrite touch a file that is not ours. It reads entry by entry: that of a
// fleet has 12 MB.
func parseManifest(r io.Reader, before *Manifest) (*Manifest, error) {
	d := json.NewDecoder(bufio.NewReaderSize(r, 64<<10))
	d.DisallowUnknownFields()
	m := &Manifest{}
	if err := m.decode(d, before); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("something follows the manifest at byte %d", d.InputOffset())
	}
	switch { // what no set is without: half a manifest must not pass for an empty set
	case m.Profile == "":
		return nil, errors.New("not a manifest of certwright: it names no profile")
	case m.Created.IsZero():
		return nil, errors.New("not a manifest of certwright: it has no date")
	case m.Files == nil:
		return nil, errors.New("not a manifest of certwright: it lists no files")
	}
	byPath := func(i, j int) bool { return m.Files[i].Path < m.Files[j].Path }
	if !sort.SliceIsSorted(m.Files, byPath) { // a slice that is shared with an earlier manifest is
		sort.Slice(m.Files, byPath)
	}
	return m, nil
}

func (m *Manifest) decode(d *json.Decoder, before *Manifest) error {
	if err := opens(d, '{'); err != nil {
		return err
	}
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return notOurs(err)
		}
		key, _ := t.(string) // within an object the decoder takes nothing else
		if seen[key] {
			return fmt.Errorf("not a manifest of certwright: it has %q twice", key)
		}
		seen[key] = true
		var into any
		switch key {
		case "version":
			into = &m.Version
		case "profile":
			into = &m.Profile
		case "created":
			into = &m.Created
		case "files":
			if err := m.decodeFiles(d, before); err != nil {
				return err
			}
			continue
		default:
			return fmt.Errorf("not a manifest of certwright: unknown field %q", key)
		}
		if err := d.Decode(into); err != nil {
			return notOurs(err)
		}
	}
	_, err := d.Token()
	return notOurs(err)
}

func notOurs(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("not a manifest of certwright: %w", err)
}

func opens(d *json.Decoder, with json.Delim) error {
	t, err := d.Token()
	if err != nil {
		return notOurs(err)
	}
	if t != with {
		return fmt.Errorf("not a manifest of certwright: there is no %v at byte %d", with, d.InputOffset())
	}
	return nil
}

func (m *Manifest) decodeFiles(d *json.Decoder, before *Manifest) error {
	if err := opens(d, '['); err != nil {
		return err
	}
	known := []Entry{}
	if before != nil {
		known = before.Files
	}
	var own []Entry
	seen, same, last := newNames(len(known)), 0, &Entry{}
	n := 0
	for ; d.More(); n++ {
		var e Entry
		if err := d.Decode(&e); err != nil {
			return notOurs(err)
		}
		if err := sound(&e, seen); err != nil {
			return fmt.Errorf("files[%d]: %w", n, err)
		}
		if n == same && n < len(known) && sameEntry(e, known[n]) {
			same++
			continue
		}
		if own == nil {
			own = slices.Clone(known[:same])
		}
		e.share(last)
		own = append(own, e)
		last = &own[len(own)-1]
	}
	if m.Files = own; own == nil {
		m.Files = known[:n:n]
	}
	_, err := d.Token()
	return notOurs(err)
}

// sound judges an entry, whose path is none of those seen.
func sound(e *Entry, seen *names) error {
	if err := checkEntry(e); err != nil {
		return err
	}
	if err := CheckPath(e.Path); err != nil {
		return err.(*Error).Err
	}
	if err := seen.add(e.Path); err != nil {
		return err.(*Error).Err
	}
	return nil
}

// share has neighbours hold one copy of what is the same in both: the files of a
// node are of few slots, and the certificates of a fleet end together.
func (e *Entry) share(last *Entry) {
	if e.Slot == last.Slot {
		e.Slot = last.Slot
	}
	if e.Kind == last.Kind {
		e.Kind = last.Kind
	}
	if e.NotAfter != nil && last.NotAfter != nil && e.NotAfter.Equal(*last.NotAfter) {
		e.NotAfter = last.NotAfter
	}
}

// checkEntry fills in Mode and judges the values; the path is judged apart.
func checkEntry(e *Entry) error {
	mode, err := parseMode(e.ModeText)
	if err != nil {
		return err
	}
	e.Mode, e.ModeText = mode, modeText(mode)
	if !isDigest(e.SHA256) {
		return errors.New("sha256 is not 64 hexadecimal digits")
	}
	if e.Size < 0 {
		return errors.New("size is negative")
	}
	return nil
}

func parseMode(s string) (fs.FileMode, error) {
	n, err := strconv.ParseUint(s, 8, 32)
	if err != nil || n == 0 || n > 0o777 {
		return 0, fmt.Errorf("mode %q is not a file mode such as 0600", s)
	}
	return fs.FileMode(n), nil
}

// modeText is a mode as the manifest has it. The usual ones are one text for all
// the files of a fleet.
func modeText(m fs.FileMode) string {
	switch m.Perm() {
	case 0o600:
		return "0600"
	case 0o644:
		return "0644"
	}
	return fmt.Sprintf("%04o", m.Perm())
}

func isDigest(s string) bool {
	if len(s) != 64 {
		return false
	}
	_, err := hex.DecodeString(s)
	return err == nil
}

// write prints the manifest with one line for each file: a difference between
// two sets reads well, and a large one needs no copy in memory.
func (m *Manifest) write(w io.Writer, files iter.Seq[Entry]) error {
	b := bufio.NewWriterSize(w, 64<<10)
	head, err := json.Marshal(struct {
		Version string `json:"version"`
		Profile string `json:"profile"`
		Created any    `json:"created"`
	}{m.Version, m.Profile, m.Created})
	if err != nil {
		return err
	}
	b.Write(head[:len(head)-1])
	b.WriteString(",\"files\":[")
	first := true
	for e := range files {
		line, err := json.Marshal(e)
		if err != nil {
			return err
		}
		if !first {
			b.WriteByte(',')
		}
		first = false
		b.WriteByte('\n')
		b.Write(line)
	}
	b.WriteString("\n]}\n")
	return b.Flush()
}

// ManifestOf is the manifest.json of files that are a set of their own inside
// another, as the stages of a rotation are.
func ManifestOf(files []File, version, profile string, created time.Time) ([]byte, error) {
	m := Manifest{Version: version, Profile: profile, Created: created.UTC()}
	for _, f := range files {
		m.Files = append(m.Files, f.entry(f.Planned()))
	}
	sort.Slice(m.Files, func(i, j int) bool { return m.Files[i].Path < m.Files[j].Path })
	var b bytes.Buffer
	if err := m.write(&b, slices.Values(m.Files)); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// sameFiles says whether a manifest of the same set would have these entries.
func (m *Manifest) sameFiles(o *Manifest, files iter.Seq[Entry]) bool {
	if m.Profile != o.Profile || m.Version != o.Version {
		return false
	}
	i := 0
	for a := range files {
		if i == len(m.Files) || !sameEntry(a, m.Files[i]) {
			return false
		}
		i++
	}
	return i == len(m.Files)
}

func sameEntry(a, b Entry) bool {
	sameEnd := a.NotAfter == nil && b.NotAfter == nil ||
		a.NotAfter != nil && b.NotAfter != nil && a.NotAfter.Equal(*b.NotAfter)
	a.NotAfter, b.NotAfter = nil, nil
	return sameEnd && a == b
}
