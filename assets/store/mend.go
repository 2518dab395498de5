package store

import (
	"path"
	"path/filepath"
	"slices"

	"github.com/spf13/afero"

	"certwright/certs/untrusted"
)

// planName is the plan that lies in a set, from which it can be made again.
const planName = "certwright.yaml"

// Mend is what brings one file of a set back to what its manifest says.
type Mend struct {
	Path   string
	Status Status
	// Fix is a command behind "$ ", or a sentence where none does it.
	Fix string
}

// Mends says for each file that differs what mends it. dir is the set as the
// user named it, for the commands. Done in this order, each once, they mend the
// set: modes first, since a run of apply replaces no key whose mode differs; then
// what lies in a backup, which loses nothing; and what is left takes a run of
// apply, which keeps all that is sound. While a run waits to be settled, recover
// comes before anything: what differs may be its doing.
func (d *Drift) Mends(dir string) []Mend {
	at := func(p string) string {
		return untrusted.Text(filepath.Join(dir, filepath.FromSlash(p))).ShellArg()
	}
	var modes, restored, made []Mend
	for _, p := range d.Loosened {
		fix := "$ chmod o-w " + at(p) // a directory
		if e := d.entry(p); e != nil {
			fix = "$ chmod " + modeText(e.Mode) + " " + at(p)
		}
		modes = append(modes, Mend{p, Loosened, fix})
	}
	apply := "$ certwright apply -f " + at(planName)
	if slices.Contains(d.Missing, planName) || slices.Contains(d.Changed, planName) || d.entry(planName) == nil {
		apply = "put the written file back, or write the set anew from your plan with certwright apply --force"
	} else if slices.ContainsFunc(d.Changed, func(p string) bool { return d.kept[p] == "" }) {
		apply += " --force" // nothing that may be somebody's is replaced without
	}
	differ := func(paths []string, status Status) {
		for _, p := range paths {
			kept := d.kept[p]
			if kept == "" {
				made = append(made, Mend{p, status, apply})
				continue
			}
			fix := "install -m " + modeText(d.entry(p).Mode) + " " + at(kept) + " " + at(p)
			if d.noDir[path.Dir(p)] {
				fix = "mkdir -p -m 0700 " + at(path.Dir(p)) + " && " + fix
			}
			restored = append(restored, Mend{p, status, "$ " + fix})
		}
	}
	differ(d.Changed, Modified)
	differ(d.Missing, Missing)
	all := slices.Concat(modes, restored, made)
	if d.Pending {
		for i := range all {
			all[i].Fix = "$ certwright recover " + untrusted.Text(dir).ShellArg()
		}
	}
	return all
}

func (d *Drift) entry(p string) *Entry {
	i := d.Manifest.Files.Find(p)
	if i < 0 {
		return nil
	}
	e := d.Manifest.Files.At(i)
	return &e
}

// lookForKept finds the files that differ in the backups, the newest first.
func (d *Drift) lookForKept(fsys afero.Fs, dir string) {
	d.kept, d.noDir = map[string]string{}, map[string]bool{}
	for _, p := range slices.Concat(d.Changed, d.Missing) {
		if info, err := fsys.Stat(filepath.Join(dir, path.Dir(p))); err != nil || !info.IsDir() {
			d.noDir[path.Dir(p)] = true
		}
		e := d.entry(p)
		if e == nil {
			continue
		}
		for _, b := range slices.Backward(d.Backups) {
			under := path.Dir(b) // "." but for the backup in a mount
			rel := p
			if under != "." {
				var inside bool
				if rel, inside = cutDir(p, under); !inside {
					continue
				}
			}
			at := path.Join(b, rel)
			if info, err := fsys.Stat(filepath.Join(dir, at)); err != nil || !info.Mode().IsRegular() || info.Size() != e.Size {
				continue
			}
			if sum, err := hashFile(fsys, filepath.Join(dir, at)); err == nil && sum == e.SHA256 {
				d.kept[p] = at
				break
			}
		}
	}
}

// cutDir is the path below a directory.
func cutDir(p, dir string) (rel string, inside bool) {
	if len(p) > len(dir) && p[:len(dir)] == dir && p[len(dir)] == '/' {
		return p[len(dir)+1:], true
	}
	return "", false
}
