// Package flow is what happens, in which order, with no terminal in it: the
// steps of an installation as a state machine of pure values. Start with New,
// feed it Events through State.Apply, and run the Effects that come back
// (flow/install runs them); the Events that those yield go into Apply again.
//
// A State does no I/O, starts no goroutine and asks no clock. It owns the
// answers; a user interface owns only its cursor, its scroll and unfinished typing.
package flow

import (
	"io/fs"
	"time"

	"certwright/assets/layout"
	"certwright/certs"
	"certwright/certs/check"
	"certwright/certs/prove"
	"certwright/certs/topology"
	"certwright/flow/plan"
)

// Step is one question of the flow.
type Step string

// The steps in their order. StepCA and StepCerts are met only when a component
// is in the mode that needs them.
const (
	StepProfile  Step = "profile"
	StepFacts    Step = "facts"
	StepModes    Step = "modes"
	StepCA       Step = "ca"
	StepCerts    Step = "certs"
	StepTopology Step = "topology"
	StepReview   Step = "review"
	StepWrite    Step = "write"
	StepDone     Step = "done"
)

// Steps lists every step in order.
func Steps() []Step {
	return []Step{StepProfile, StepFacts, StepModes, StepCA, StepCerts, StepTopology, StepReview, StepWrite, StepDone}
}

// Title is the step's name in the rail.
//
//go:noinline // many callers, none of them hot
func (s Step) Title() string {
	switch s {
	case StepProfile:
		return "Profile"
	case StepFacts:
		return "Facts"
	case StepModes:
		return "Components"
	case StepCA:
		return "CA"
	case StepCerts:
		return "Certs"
	case StepTopology:
		return "Topology"
	case StepReview:
		return "Review"
	case StepWrite:
		return "Write"
	case StepDone:
		return "Done"
	}
	return string(s)
}

// Part is one half of a slot's material.
type Part string

// The parts. The public key of a key pair is PartCert.
const (
	PartCert Part = "cert"
	PartKey  Part = "key"
)

// Field is one place that a person fills with material.
type Field struct {
	Slot topology.SlotID
	Part Part
}

// Source is where the material of a field comes from: a path, or pasted bytes,
// which are kept in memory only. The zero value is an empty field.
type Source struct {
	Path   string
	Pasted []byte
	// Why says, for a field that a folder filled, why this file went there.
	Why string
}

// Empty says that nothing was handed over.
func (s Source) Empty() bool { return s.Path == "" && len(s.Pasted) == 0 }

// Verdict is what is known of one slot's material.
type Verdict struct {
	// Pending says that the material changed and was not judged yet.
	Pending  bool
	Findings []check.Finding
	// Pair is the material itself once it is good enough to be used; nil else.
	Pair *certs.Pair
	// Facts describe the certificate for the panes, row by row: a label and its text, escaped.
	Facts [][2]string
	// NeedsPassphrase says that a key is encrypted and no passphrase opened it yet.
	NeedsPassphrase bool
	// Stamps tell whether a file changed on disk since, by path.
	Stamps map[string]Stamp
	// Rechecked says that the verdict came because a file changed on disk.
	Rechecked bool
}

// Stamp is a file's state when it was read.
type Stamp struct {
	Size    int64
	ModTime time.Time
	Mode    fs.FileMode // 0 where it does not matter
	SHA256  [32]byte
}

// OK says that the material was judged and nothing stands against it.
func (v Verdict) OK() bool { return !v.Pending && v.Pair != nil && check.OK(v.Findings) }

// Blocker is one thing that stops a step from being left forwards. Back is
// never stopped.
type Blocker struct {
	Step    Step
	Where   string // a fact, a component or a slot
	Slot    topology.SlotID
	Part    Part
	Message string // what
	Fix     string // what to press or type
}

// Prepared is a whole set in memory, ready to be written: everything between
// the answers and the disk. The fields are read-only.
type Prepared struct {
	Topology   *topology.Topology
	Set        *certs.Set
	Findings   []check.Finding
	Handshakes []prove.Handshake
	Openings   []prove.Opening
	Files      []layout.File
	// Rest stands for what Files does not have: a cluster of many nodes is made
	// while it is written, and Set, Files and Topology are of an outline of it.
	// Nil when all is here.
	Rest   Rest
	Survey Survey
	// Notes are what a person should know and no rule is broken by: a life cut
	// short by its CA's.
	Notes []string
	// Kept counts the slots that an earlier set had and that stay as they are;
	// Anew lists those that it had and that were made anew.
	Kept int
	Anew []Anew
	// Carried are files of the earlier set that stay without being made again:
	// sealed keys of CAs.
	Carried []string
	// Inputs are the files that were read, to notice one that changes before the write.
	Inputs map[string]Stamp
	// Unsealed says that keys of CAs are still plain which are to be sealed,
	// because nobody gave the passphrase yet: it can be looked at, not written.
	Unsealed bool
}

// Rest is the part of a prepared set that is not in memory.
type Rest interface {
	Nodes() int
	Files() int
}

// Count is how many files the set has.
func (p *Prepared) Count() int {
	if p.Rest == nil {
		return len(p.Files)
	}
	return len(p.Files) + p.Rest.Files()
}

// Anew is a certificate of an earlier set that does not stay.
type Anew struct {
	Slot topology.SlotID // "" for the root
	Why  string          // a part of a sentence: "its names lack IP:10.0.0.1"
}

// Survey is what stands at the destination now, held against what would be written.
type Survey struct {
	Dir      string // as a person typed it
	Existing string // what is there, in words: "nothing", "a set that certwright wrote on …", "3 files that certwright did not write"
	Changes  []Change
	// Backups are the directories below it that keep files of earlier sets.
	Backups []string
	// Foreign says that files lie there and no set of ours.
	Foreign bool
	// Refused says why nothing may be written there at all, nil when it may.
	Refused error
}

// What says what the write would do to a file.
type What string

// What can happen to a file.
const (
	Added     What = "new"
	Same      What = "same"      // the bytes are there already
	Overwrite What = "overwrite" // other bytes are there; they are kept beside it
	Remove    What = "remove"    // it belongs to the old set alone; it is kept beside it
	Takeover  What = "foreign"   // a file that certwright did not make is in its place; it is kept beside it
	Blocked   What = "blocked"   // a directory or a link is in its place: nothing can be written
)

// Change is one file of the destination, before and after.
type Change struct {
	Path string // below the destination; of several files a pattern
	What What
	// Count is how many files of many nodes the line stands for, 0 for one alone.
	Count int
	Mode  fs.FileMode
	Size  int
	Kind  layout.Kind
	Slot  topology.SlotID
	// OldSize is the size of the file that is there; Modified says that it was
	// changed since certwright wrote it.
	OldSize  int
	Modified bool
}

// Difference is a file that is there against the one that takes its place. It
// tells keys by what they open, never by their bytes.
type Difference struct {
	Rows  []DiffRow  // what the two are
	Lines []DiffLine // what comes and goes
	Note  string
}

// DiffRow is one property of both.
type DiffRow struct{ Label, Now, Then string }

// DiffLine is one line or name: '+' comes, '-' goes, ' ' stays.
type DiffLine struct {
	Sign byte
	Text string
}

// Files is how many files the line stands for.
func (c Change) Files() int { return max(1, c.Count) }

// Confirm says what has to be confirmed before the write: "" when nothing that
// exists would be replaced.
func (s Survey) Confirm() string {
	n := 0
	for _, c := range s.Changes {
		if c.What == Overwrite || c.What == Remove || c.What == Takeover {
			n += c.Files()
		}
	}
	switch n {
	case 0:
		if s.Foreign {
			return "the directory holds files that certwright did not make; they would stay as they are"
		}
		return ""
	case 1:
		return "1 file would be replaced; the old one is kept beside it"
	}
	return plural(n) + " files would be replaced; the old ones are kept beside them"
}

// Progress is how far a long effect is.
type Progress struct {
	Stage string // keys, issue, check, prove, render, stage, verify, rename
	Item  string
	Done  int
	Total int
}

// Written is the outcome of the write.
type Written struct {
	Receipt Receipt
	Err     error
}

// Receipt is what a write did.
type Receipt struct {
	Dir       string // as a person typed it
	Written   int
	Unchanged int
	Backup    string   // where the files that were replaced lie now; "" when none were
	Notes     []string // what a person should know: a file system that cannot sync, a recovery that was made
}

// Answers are what the flow collected, for effects and for the headless twin:
// the plan, and the material that has no path.
type Answers struct {
	Plan        *plan.Plan
	Profile     *topology.Profile
	Topology    *topology.Topology
	Sources     map[Field]Source
	Passphrases map[topology.SlotID][]byte
	// Signed are the pairs that were made here and signed elsewhere, for the
	// components whose CA has its key there. The state machine knows none.
	Signed map[topology.SlotID]*certs.Pair
	// CAPassphrase seals the keys of the CAs that are made here. SealLater says
	// that it will only be given when the set was seen.
	CAPassphrase []byte
	SealLater    bool
}
