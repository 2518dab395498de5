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
	name, room := filepath.Join(dir, ManifestName), 0
	if info, err := fsys.Stat(name); err == nil {
		room = int(min(info.Size(), maxManifest) / averageLine)
		if !info.Mode().IsRegular() {
			return nil, invalid(name, "%s, not a regular file", typeName(info.Mode())) // opening a FIFO would wait
		}
	}
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	in := &bounded{r: f, left: maxManifest}
	m, err := parseManifest(in, before, room)
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

// averageLine is how long a fleet's line of the manifest is, in bytes.
const averageLine = 250

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
// fleet has 12 MB. There is room for so many entries from the start.
func parseManifest(r io.Reader, before *Manifest, room int) (*Manifest, error) {
	d := json.NewDecoder(bufio.NewReaderSize(r, 64<<10))
	d.DisallowUnknownFields()
	m := &Manifest{}
	if err := m.decode(d, before, room); err != nil {
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
	case m.Files.of == nil:
		return nil, errors.New("not a manifest of certwright: it lists no files")
	}
	return m, nil
}

func (m *Manifest) decode(d *json.Decoder, before *Manifest, room int) error {
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
			if err := m.decodeFiles(d, before, room); err != nil {
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

// decodeFiles holds the entries of before as they are while the manifest says
// the same: what was judged once need not be again.
func (m *Manifest) decodeFiles(d *json.Decoder, before *Manifest, room int) error {
	if err := opens(d, '['); err != nil {
		return err
	}
	known := Files{}
	if before != nil {
		known = before.Files
	}
	var own *ledger // once it differs
	n := 0
	for ; d.More(); n++ {
		var e Entry
		if err := d.Decode(&e); err != nil {
			return notOurs(err)
		}
		err := checkEntry(&e)
		if err == nil && own == nil {
			if known.isNext(n, &e) {
				continue
			}
			own = known.first(n, room)
		}
		if err == nil {
			err = own.take(e)
		}
		if err != nil {
			return fmt.Errorf("files[%d]: %w", n, err)
		}
	}
	if own == nil && n > 0 && n == known.Len() {
		m.Files = known
	} else {
		if own == nil {
			own = known.first(n, room)
		}
		m.Files = newFiles(own)
	}
	_, err := d.Token()
	return notOurs(err)
}

// isNext says whether an entry that is the n-th of a manifest is that of these.
func (f Files) isNext(n int, e *Entry) bool {
	return n < f.Len() && f.of.is(int(f.of.sorted()[n]), e)
}

// first are the first n of the entries by path, with room for more.
func (f Files) first(n, room int) *ledger {
	l := newLedger(max(n, room), nil)
	for _, e := range f.All() {
		if n--; n < 0 {
			break
		}
		_ = l.take(e) // as it was taken before
	}
	return l
}

// take notes an entry whose path is sound and none of those that it has.
func (l *ledger) take(e Entry) error {
	err := CheckPath(e.Path)
	if err == nil {
		err = l.add(e.Path)
	}
	if err == nil {
		err = l.put(e, kept)
	}
	if bad, ok := err.(*Error); ok {
		return bad.Err
	}
	return err
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
	var line []byte
	for e := range files {
		if line != nil {
			b.WriteByte(',')
		}
		if line, err = appendEntry(append(line[:0], '\n'), &e); err != nil {
			return err
		}
		b.Write(line)
	}
	b.WriteString("\n]}\n")
	return b.Flush()
}

// appendEntry is json.Marshal, and without it where no text needs to be escaped:
// a fleet's lines are written while all else waits.
func appendEntry(b []byte, e *Entry) ([]byte, error) {
	for _, text := range []string{e.Path, e.ModeText, e.SHA256, e.Slot, e.Kind, e.Serial} {
		if !plainJSON(text) {
			return appendJSON(b, e)
		}
	}
	if end := e.NotAfter; end != nil && (end.Location() != time.UTC || end.Year() < 0 || end.Year() > 9999) {
		return appendJSON(b, e)
	}
	b = append(append(b, `{"path":"`...), e.Path...)
	b = append(append(b, `","mode":"`...), e.ModeText...)
	b = append(append(b, `","sha256":"`...), e.SHA256...)
	b = strconv.AppendInt(append(b, `","size":`...), e.Size, 10)
	if e.Slot != "" {
		b = append(append(append(b, `,"slot":"`...), e.Slot...), '"')
	}
	b = append(append(append(b, `,"kind":"`...), e.Kind...), '"')
	if e.Serial != "" {
		b = append(append(append(b, `,"serial":"`...), e.Serial...), '"')
	}
	if e.NotAfter != nil {
		b = append(e.NotAfter.AppendFormat(append(b, `,"notAfter":"`...), time.RFC3339Nano), '"')
	}
	return append(b, '}'), nil
}

func appendJSON(b []byte, e *Entry) ([]byte, error) {
	line, err := json.Marshal(e)
	return append(b, line...), err
}

// plainJSON says whether a text stands in JSON as it is.
func plainJSON(text string) bool {
	for _, c := range []byte(text) {
		if c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			return false
		}
	}
	return true
}

// ManifestOf is the manifest.json of files that are a set of their own inside
// another, as the stages of a rotation are.
func ManifestOf(files []File, version, profile string, created time.Time) ([]byte, error) {
	m := Manifest{Version: version, Profile: profile, Created: created.UTC()}
	var entries []Entry
	for _, f := range files {
		entries = append(entries, f.entry(f.Planned()))
	}
	sort.Slice(entries, func(i, j int) bool { return entries[i].Path < entries[j].Path })
	var b bytes.Buffer
	if err := m.write(&b, slices.Values(entries)); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// sameFiles says whether a manifest of the same set would have these entries,
// which come by path.
func (m *Manifest) sameFiles(o *Manifest, files iter.Seq[Entry]) bool {
	if m.Profile != o.Profile || m.Version != o.Version {
		return false
	}
	n := 0
	for e := range files {
		if !m.Files.isNext(n, &e) {
			return false
		}
		n++
	}
	return n == m.Files.Len()
}
