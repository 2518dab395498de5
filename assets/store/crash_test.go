package store_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"certwright/assets/store"
	"certwright/assets/store/crashfs"

	"github.com/spf13/afero"
)

// long makes the crash tests exhaustive; it takes minutes.
var long = os.Getenv("CERTWRIGHT_CRASH") == "long"

func scale(short, exhaustive int) int {
	if long {
		return exhaustive
	}
	return short
}

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

const dest = "/etc/generated"

func file(path, data string, mode fs.FileMode, kind string) store.File {
	return store.File{Path: path, Data: []byte(data), Mode: mode, Kind: kind, Slot: "s/" + kind}
}

// scenario is a set to be written over a world.
type scenario struct {
	name  string
	world func(f store.FS, root string) // what is there before
	files []store.File
	force bool
	whole bool   // the file system has SyncAll
	plain bool   // it has no hard links
	enter string // below dest, where the recovery after a crash starts; dest itself follows
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func put(f store.FS, name, data string, mode fs.FileMode) {
	must(f.MkdirAll(path.Dir(name), 0o755))
	must(afero.WriteFile(f, name, []byte(data), mode))
	must(f.Chmod(name, mode))
}

func oldSet(f store.FS, root string) {
	must(f.MkdirAll(root+"/etc", 0o755))
	_, err := commit(context.Background(), f, root+dest, false, []store.File{
		file("tls/ca.crt", "old ca", 0o644, "ca"),
		file("tls/server.crt", "old crt", 0o644, "certificate"),
		file("tls/server.key", "old key", 0o600, "key"),
		file("tls/same.crt", "the same", 0o644, "certificate"),
		file("gone/only.key", "to be removed", 0o600, "key"),
	})
	must(err)
	put(f, root+dest+"/tls/foreign.pem", "not ours", 0o640)
	put(f, root+dest+"/notes.txt", "not ours either", 0o644)
}

func oldFleet(f store.FS, root string) {
	must(f.MkdirAll(root+"/etc", 0o755))
	files := fleet(70)
	for i := range files {
		files[i].Data = append([]byte("old "), files[i].Data...)
	}
	_, err := commit(context.Background(), f, root+dest, false, files)
	must(err)
}

func newSet() []store.File {
	return []store.File{
		file("tls/ca.crt", "new ca", 0o644, "ca"),
		file("tls/server.crt", "new crt", 0o644, "certificate"),
		file("tls/server.key", "new key", 0o600, "key"),
		file("tls/same.crt", "the same", 0o644, "certificate"),
		file("tls/added.key", "new and added", 0o600, "key"),
		file("auth/kube/config", "a new directory", 0o600, "kubeconfig"),
	}
}

func fleet(n int) []store.File {
	files := newSet()
	for i := range n {
		files = append(files, file(fmt.Sprintf("nodes/%d/kubelet.key", i), fmt.Sprint("key ", i), 0o600, "key"))
	}
	return files
}

func scenarios() []scenario {
	return []scenario{
		{"over a set of ours", oldSet, newSet(), true, false, false, ""},
		{"into an absent directory", func(f store.FS, root string) { put(f, root+"/etc/hosts", "not ours", 0o644) }, newSet(), false, false, false, ""},
		{"into an absent directory of an absent directory", func(store.FS, string) {}, newSet(), false, false, false, ""},
		{"into an empty directory", func(f store.FS, root string) { must(f.MkdirAll(root+dest, 0o755)) }, newSet(), false, false, false, ""},
		{"over foreign files", func(f store.FS, root string) {
			put(f, root+dest+"/tls/server.key", "somebody's key", 0o644)
			put(f, root+dest+"/tls/ca.key", "somebody's ca", 0o600)
		}, newSet(), true, false, false, ""},
		{"over a set of ours, without hard links", oldSet, newSet(), true, false, true, ""},
		{"a fleet over a set, syncfs", oldSet, fleet(70), true, true, false, ""},
		{"a fleet over a set, batches", oldSet, fleet(70), true, false, false, ""},
		{"a renewed fleet, syncfs", oldFleet, fleet(70), true, true, false, ""},
		{"a renewed fleet, batches", oldFleet, fleet(70), true, false, false, ""},
		{"a fleet, first install, syncfs", func(store.FS, string) {}, fleet(70), false, true, false, ""},
		{"over a set on three file systems", oldMounts, mountSet(), true, true, false, ""},
		{"over a set on three file systems, recovered from one of them", oldMounts, mountSet(), true, true, false, "/tls"},
		{"over a set on three file systems, recovered from the innermost", oldMounts, mountSet(), true, false, true, "/tls/etcd"},
		{"over foreign files on three file systems", foreignMounts, mountSet(), true, false, false, ""},
		{"a fleet over a set on three file systems, syncfs", oldMounts, mountFleetSet(), true, true, false, ""},
	}
}

func (s scenario) start() *crashfs.FS {
	f := crashfs.New()
	f.Whole, f.NoLinks = s.whole, s.plain
	s.world(f, "")
	f.Settle()
	return f
}

func commit(ctx context.Context, f store.FS, dir string, force bool, files []store.File) (*store.Result, error) {
	tx, err := store.Begin(ctx, f, dir, store.Options{Force: force, Version: "1.0", Profile: "tectonic", Now: now})
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		if err := tx.Add(file); err != nil {
			return nil, errors.Join(err, tx.Abort())
		}
	}
	return tx.Commit(ctx)
}

func (s scenario) run(f store.FS) (*store.Result, error) {
	return commit(context.Background(), f, dest, s.force, s.files)
}

// oracle knows what the disk may look like: all old or all new.
type oracle struct {
	enter    string            // of the scenario
	old, new map[string]string // by path; the store's own names left out
	backup   map[string]string // the old files that the new set replaces
	foreign  map[string]uint64 // inodes of files that nobody may touch
}

func (s scenario) oracle(t testing.TB) *oracle {
	t.Helper()
	f := s.start()
	before := f.Tree("/")
	r, err := s.run(f)
	if err != nil {
		t.Fatalf("%s: %v", s.name, err)
	}
	o := learn(before, f.Tree("/"))
	o.enter = s.enter
	if why := o.leftovers(f.Tree("/"), r.Backup != ""); why != "" {
		t.Fatalf("%s: after a plain run: %s", s.name, why)
	}
	return o
}

// tree is what is on a disk, by path.
type tree = map[string]crashfs.Node

// learn makes an oracle of a run that nothing disturbed.
func learn(before, after tree) *oracle {
	o := &oracle{old: flat(before), new: flat(after), foreign: map[string]uint64{}, backup: map[string]string{}}
	for p, text := range o.old {
		if before[p].Dir {
			continue
		}
		if o.new[p] != text && strings.HasPrefix("/"+p, dest+"/") {
			o.backup[strings.TrimPrefix("/"+p, dest+"/")] = before[p].Data
		} else {
			o.foreign[p] = before[p].Ino
		}
	}
	return o
}

// flat is a tree as text, without what the store keeps for itself.
func flat(disk tree) map[string]string {
	out := map[string]string{}
	for p, n := range disk {
		if !strings.Contains(p, ".certwright") {
			out[p] = fmt.Sprintf("%v %o %s", n.Dir, n.Mode, n.Data)
		}
	}
	return out
}

// judge says "old", "new", or what is wrong.
func (o *oracle) judge(disk tree) string {
	for p, ino := range o.foreign {
		if disk[p].Ino != ino {
			return fmt.Sprintf("%s was touched", p)
		}
	}
	now := flat(disk)
	switch {
	case maps.Equal(now, o.new):
		return "new"
	case maps.Equal(now, o.old):
		return "old"
	}
	var b strings.Builder
	for _, p := range slices.Sorted(maps.Keys(now)) {
		which := "other"
		switch now[p] {
		case o.old[p]:
			which = "old"
		case o.new[p]:
			which = "new"
		}
		fmt.Fprintf(&b, " %s=%s", p, which)
	}
	for p := range o.old {
		if _, ok := now[p]; !ok {
			fmt.Fprintf(&b, " %s=gone", p)
		}
	}
	return "mixed:" + b.String()
}

// leftovers says what should not be there once all is settled.
func (o *oracle) leftovers(disk tree, replaced bool) string {
	kept := map[string]string{}
	for p, n := range disk {
		where, rest, ours := strings.Cut(p, ".certwright-backup-")
		switch {
		case ours && replaced:
			if _, file, ok := strings.Cut(rest, "/"); ok && !n.Dir { // a mount has one of its own
				kept[strings.TrimPrefix("/"+where, dest+"/")+file] = n.Data
			}
		case strings.Contains(p, ".certwright"):
			return "left behind: " + p
		}
	}
	if replaced && !maps.Equal(kept, o.backup) {
		return fmt.Sprintf("the backup holds %v", slices.Sorted(maps.Keys(kept)))
	}
	return ""
}

// settled recovers a disk and judges it; "" when all is well.
func (o *oracle) settled(f *crashfs.FS) (outcome, bad string) {
	if o.enter != "" {
		if _, err := store.Recover(context.Background(), f, dest+o.enter, false); err != nil {
			return "", fmt.Sprintf("recover %s: %v", o.enter, err)
		}
		if outcome := o.judge(f.Tree("/")); outcome != "old" && outcome != "new" {
			return outcome, "after a recovery from " + o.enter + ": " + outcome
		}
	}
	r, err := store.Recover(context.Background(), f, dest, false)
	if err != nil {
		return "", fmt.Sprintf("recover: %v", err)
	}
	outcome = o.judge(f.Tree("/"))
	if outcome != "old" && outcome != "new" {
		return outcome, outcome
	}
	if why := o.leftovers(f.Tree("/"), outcome == "new" && len(o.backup) > 0); why != "" {
		return outcome, outcome + ", " + why
	}
	if r.Outcome == store.KeptOld && outcome == "new" && len(o.backup) > 0 {
		return outcome, "said the old state was kept, and it is new"
	}
	return outcome, ""
}

// tally is what a crash test went through.
type tally struct {
	ops, tried, states, inner, old, new, mixed int
	bad                                        []string
}

func (c *tally) String() string {
	return fmt.Sprintf("%d operations, %d combinations of what a crash may lose, %d distinct disks (%d old, %d new), %d disks of a crash in recovery, %d moments with old and new names, %d bad",
		c.ops, c.tried, c.states, c.old, c.new, c.inner, c.mixed, len(c.bad))
}

// crashes runs the scenario over f once and crashes it after every operation.
// wrap may stand between the store and the disk.
func crashes(s scenario, o *oracle, limit, innerLimit, perPoint int, wrap func(store.FS) store.FS) *tally {
	random := rand.New(rand.NewPCG(1, 2))
	c := &tally{}
	seen := map[[32]byte]bool{}
	f := s.start()
	try := func(at string, state *crashfs.FS, inner, mustBeNew bool) {
		sum := state.Sum()
		if seen[sum] && !mustBeNew {
			return
		}
		seen[sum] = true
		c.states++
		copied := state.Live()
		outcome, bad := o.settled(state)
		switch {
		case bad == "" && mustBeNew && outcome != "new":
			bad = "success was reported, and the new set is lost"
		case outcome == "old":
			c.old++
		case outcome == "new":
			c.new++
		}
		if bad != "" {
			c.bad = append(c.bad, at+": "+bad)
			return
		}
		if inner {
			c.crashInRecovery(o, copied, at, outcome, innerLimit, random)
		}
	}
	f.After = func(op crashfs.Op) error {
		if !op.Writes() {
			return nil
		}
		c.ops++
		if len(s.files) > 20 && c.ops%scale(9, 3) != 0 && op.Name != "syncall" && !strings.Contains(op.Path, "journal") {
			return nil // a fleet has many operations of one kind
		}
		at := fmt.Sprintf("after %d %s %s %s", op.N, op.Name, op.Path, op.To)
		if live := o.judge(f.Tree("/")); live != "old" && live != "new" {
			c.mixed++
		}
		n := 0
		try(at+" (kill)", f.Live(), perPoint > 0 || c.ops%100 == 0, false)
		for state := range f.States(limit, random) {
			n++
			try(at, state, n <= perPoint, false)
		}
		return nil
	}
	_, err := s.run(wrap(f))
	f.After = nil
	if err != nil {
		c.bad = append(c.bad, "run: "+err.Error())
	}
	for state := range f.States(limit, random) {
		for p := range state.Tree("/") {
			if strings.HasSuffix(p, ".certwright-journal") {
				c.bad = append(c.bad, "after success: the journal may come back")
			}
		}
		try("after success", state, false, true)
	}
	c.tried += f.Considered
	return c
}

// crashInRecovery crashes a recovery after every operation: the next one must
// come to the same end.
func (c *tally) crashInRecovery(o *oracle, f *crashfs.FS, at, want string, limit int, random *rand.Rand) {
	seen := map[[32]byte]bool{}
	f.After = func(op crashfs.Op) error {
		if !op.Writes() {
			return nil
		}
		for state := range f.States(limit, random) {
			sum := state.Sum()
			if seen[sum] {
				continue
			}
			seen[sum] = true
			c.inner++
			got, bad := o.settled(state)
			if bad == "" && got != want {
				bad = "without the second crash it is " + want + ", with it " + got
			}
			if bad != "" {
				c.bad = append(c.bad, fmt.Sprintf("%s, then recovery %s %s %s: %s", at, op.Name, op.Path, op.To, bad))
			}
		}
		return nil
	}
	store.Recover(context.Background(), f, dest, false)
	c.tried += f.Considered
}

func plain(f store.FS) store.FS { return f }

func TestCrashAfterEveryOperation(t *testing.T) {
	for _, s := range scenarios() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			o := s.oracle(t)
			limit, inner, per := scale(150, 10_000), scale(6, 20), scale(2, 20)
			switch {
			case len(s.files) > 20:
				limit, inner, per = scale(3, 10), scale(1, 2), 0
			case s.enter != "" || strings.Contains(s.name, "three"): // more operations, and each has more in the air
				limit, inner, per = scale(8, 1500), scale(2, 10), scale(1, 10)
			}
			c := crashes(s, o, limit, inner, per, plain)
			t.Log(c)
			for i, bad := range c.bad {
				if i == 5 {
					break
				}
				t.Error(bad)
			}
		})
	}
}
