package store

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/spf13/afero"
)

// What a step of the journal does.
const (
	doFile   = "file"   // rename the staged file over the path
	doDir    = "dir"    // rename a staged directory to the path, where nothing is
	doInside = "inside" // a file that comes with its directory: only to be checked
	doRemove = "remove" // of the old set
)

// step is one line of the journal.
type step struct {
	Do   string `json:"do"`
	Path string `json:"path"`
	Old  string `json:"old,omitempty"` // SHA-256 of what is replaced; "" when nothing is
	New  string `json:"new,omitempty"`
	Mode string `json:"mode,omitempty"`
}

// journal is the commit point: once it is durable the new set is the result,
// whatever happens.
type journal struct {
	Format string `json:"certwright"` // journalFormat
	parts
	Backup string `json:"backup"` // what the undo copies become; "" when nothing is replaced
	Steps  []step `json:"-"`
}

const journalFormat = "journal/1"

type journalEnd struct {
	Sum string `json:"sha256"` // of all bytes before this line
}

func (j *journal) write(w io.Writer) error {
	h := sha256.New()
	b := bufio.NewWriter(w)
	lines := json.NewEncoder(io.MultiWriter(b, h))
	if err := lines.Encode(j); err != nil {
		return err
	}
	for _, s := range j.Steps {
		if err := lines.Encode(s); err != nil {
			return err
		}
	}
	if err := json.NewEncoder(b).Encode(journalEnd{hex.EncodeToString(h.Sum(nil))}); err != nil {
		return err
	}
	return b.Flush()
}

var errTorn = errors.New("the journal is not whole")

// parseJournal returns errTorn, wrapped, for anything but a whole journal.
func parseJournal(data []byte) (*journal, error) {
	body, ok := bytes.CutSuffix(data, []byte("\n"))
	cut := bytes.LastIndexByte(body, '\n') + 1
	if !ok || cut == 0 {
		return nil, errTorn
	}
	var end journalEnd
	if err := strict(body[cut:], &end); err != nil || digest(data[:cut]) != end.Sum {
		return nil, fmt.Errorf("%w: its checksum differs", errTorn)
	}
	var j journal
	first := true
	for line := range bytes.Lines(data[:cut]) {
		if first {
			first = false
			if err := strict(line, &j); err != nil || j.Format != journalFormat {
				return nil, fmt.Errorf("%w: its first line is not ours", errTorn)
			}
			continue
		}
		var s step
		if err := strict(line, &s); err != nil {
			return nil, fmt.Errorf("%w: %w", errTorn, err)
		}
		if err := s.check(); err != nil {
			return nil, fmt.Errorf("%w: %w", errTorn, err)
		}
		j.Steps = append(j.Steps, s)
	}
	for _, m := range j.Mounts {
		if err := CheckPath(m); err != nil {
			return nil, fmt.Errorf("%w: %w", errTorn, err)
		}
	}
	if !slices.IsSorted(j.Mounts) || !ownName(j.Tx, txPrefix) || j.Backup != "" && !ownName(j.Backup, backupPrefix) {
		return nil, fmt.Errorf("%w: it names directories that are not ours", errTorn)
	}
	return &j, nil
}

func ownName(s, prefix string) bool {
	rest, ok := strings.CutPrefix(s, prefix)
	return ok && rest != "" && strings.Trim(rest, "0123456789abcdefTZ-") == ""
}

func strict(line []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	return d.Decode(v)
}

// check is as strict as CheckPath, because recovery acts on what it reads.
func (s step) check() error {
	if s.Path != ManifestName {
		if err := CheckPath(s.Path); err != nil {
			return err
		}
	}
	if s.Old != "" && !isDigest(s.Old) || s.New != "" && !isDigest(s.New) {
		return errors.New("a digest is malformed")
	}
	switch s.Do {
	case doFile, doInside:
		if s.New == "" {
			return errors.New("a new file has no digest")
		}
	case doRemove:
		if s.Old == "" {
			return errors.New("an old file has no digest")
		}
	case doDir:
	default:
		return fmt.Errorf("unknown step %q", s.Do)
	}
	return nil
}

// order is the one in which the steps are done: directories that nobody can be
// reading yet, then CAs, so that whoever sees a new certificate finds its
// issuer, then pairs with the key before its certificate, kubeconfigs, all
// else, the manifest, and removals last.
func order(kind string, s step) int {
	switch {
	case s.Do == doDir || s.Do == doInside:
		return 0
	case s.Do == doRemove:
		return 9
	case s.Path == ManifestName:
		return 8
	}
	switch kind {
	case "ca", "bundle":
		return 1
	case "key", "ca-key", "certificate", "public-key":
		return 2
	case "kubeconfig":
		return 3
	}
	return 4
}

// sortSteps puts the steps in order; entry tells what a path holds.
func sortSteps(steps []step, entry func(path string) Entry) {
	keyFirst := func(e Entry) int {
		if private(e.Mode) {
			return 0
		}
		return 1
	}
	sort.SliceStable(steps, func(i, j int) bool {
		a, b := steps[i], steps[j]
		ea, eb := entry(a.Path), entry(b.Path)
		oa, ob := order(ea.Kind, a), order(eb.Kind, b)
		c := oa - ob
		switch {
		case c == 0 && oa == 2:
			c = cmp.Or(cmp.Compare(ea.Slot, eb.Slot), keyFirst(ea)-keyFirst(eb))
		case c == 0 && oa == 0: // a directory before what comes with it
			c = cmp.Compare(a.Do, b.Do)
		}
		return cmp.Or(c, cmp.Compare(a.Path, b.Path)) < 0
	})
}

// readJournal returns nil when there is none.
func readJournal(fsys afero.Fs) (*journal, error) {
	data, err := readAll(fsys, journalName, maxManifest)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if errors.Is(err, errTooBig) {
		return nil, fmt.Errorf("%w: it is too large", errTorn)
	}
	if err != nil {
		return nil, err
	}
	return parseJournal(data)
}

// install makes the journal durable: this is the commit point. sync, close,
// rename, sync of the directory, in this order. named says whether the journal
// has its name, durable or not, when there is an error.
func (j *journal) install(root FS) (named bool, err error) {
	f, err := root.OpenFile(journalTemp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		root.Remove(journalTemp) // made all the same, or an accident of the name
		return false, err
	}
	err = j.write(f)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = root.Rename(journalTemp, journalName)
		if err != nil && gone(root, journalTemp) && !gone(root, journalName) {
			err = nil // done, and reported as failed (a lost answer of an NFS server)
		}
	}
	if err != nil {
		root.Remove(journalTemp)
		return !gone(root, journalName), err
	}
	return true, syncNames(root, ".")
}

// exists answers only when it knows.
func exists(root FS, name string) (bool, error) {
	_, err := root.Lstat(name)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// gone says that there is surely no such name.
func gone(root FS, name string) bool {
	there, err := exists(root, name)
	return !there && err == nil
}

//go:noinline // many callers, none of them hot
func shownIn(dir, p string) string { return filepath.Join(dir, filepath.FromSlash(p)) }
