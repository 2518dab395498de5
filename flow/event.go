package flow

import (
	"certwright/certs/issue"
	"certwright/certs/topology"
	"certwright/flow/plan"
)

// Event is what happened: a person did something, or an effect ended.
type Event interface{ event() }

type (
	// Next asks to leave the step forwards. It does so only when nothing blocks it.
	Next struct{}
	// Back goes to the step before. It is never refused, except while files are
	// being written and after that.
	Back struct{}
	// Goto jumps to a step that was reached before.
	Goto struct{ Step Step }

	// ChooseProfile sets the profile.
	ChooseProfile struct{ Name string }
	// SetFact sets one fact, as typed. An empty value goes back to the default.
	SetFact struct{ Name, Value string }
	// SetNodes sets the table of nodes; an empty one goes back to the facts of a
	// single node. A file that they came from is left.
	SetNodes struct{ Nodes []topology.Node }
	// LoadNodes takes the table from a file: CSV, or YAML. An empty path goes
	// back to the facts of a single node.
	LoadNodes struct{ Path string }
	// SetAlgorithm sets the key algorithm.
	SetAlgorithm struct{ Algorithm issue.Algorithm }
	// SetValidity sets how long certificates last; zero keeps a life as it is.
	SetValidity struct{ CA, Leaf plan.Duration }
	// SetHierarchy sets what generate makes.
	SetHierarchy struct{ Hierarchy topology.Hierarchy }
	// SetMode sets a component's mode; with All, of every component that offers it.
	SetMode struct {
		Component topology.ComponentID
		Mode      topology.Mode
		All       bool
	}
	// SetIntermediate asks for an intermediate of our own under a brought CA.
	SetIntermediate struct {
		Component topology.ComponentID
		On        bool
	}
	// SetElsewhere says that the key of a brought CA is not here, or that it is:
	// what it signs is then asked for with requests. It needs the CA's certificate
	// as a file, and no key.
	SetElsewhere struct {
		Component topology.ComponentID
		On        bool
	}
	// SetSource sets the material of a field.
	SetSource struct {
		Field  Field
		Source Source
	}
	// SetPassphrase hands over the passphrase of a slot's encrypted key. The
	// State owns the bytes from here on.
	SetPassphrase struct {
		Slot       topology.SlotID
		Passphrase []byte
	}
	// FillFrom fills every field of a step from a folder, by content.
	FillFrom struct{ Dir string }
	// SetCAKeys says what becomes of the keys of the CAs that are made here. The
	// State owns the passphrase from here on; nil keeps the one that it has.
	SetCAKeys struct {
		Fate       plan.CAKeyFate
		Passphrase []byte
	}
	// SetOutput sets the destination.
	SetOutput struct{ Dir string }
	// SetLayouts sets the layouts that are written.
	SetLayouts struct{ Layouts []string }
	// Confirm answers the question of Review when something would be replaced:
	// the cluster's name, typed.
	Confirm struct{ Typed string }
	// Look asks whether files changed on disk. A user interface sends it once a
	// second while slots are on screen. Of many slots it is about some at a time,
	// and always about those that are seen.
	Look struct{ Seen []topology.SlotID }
	// Stop asks a running preparation to end. It does nothing to a write.
	Stop struct{}

	// Checked is the verdict of a Check. One of an older generation is dropped.
	Checked struct {
		Slot    topology.SlotID
		Gen     int
		Verdict Verdict
	}
	// Looked lists the slots whose files changed on disk, and says whether the
	// file of the nodes did.
	Looked struct {
		Changed []topology.SlotID
		Nodes   bool
	}
	// NodesRead is what a file of nodes holds. One of an older generation is dropped.
	NodesRead struct {
		Gen   int
		Nodes []topology.Node
		Stamp Stamp
		Err   error
	}
	// Filled is what a folder was sorted into.
	Filled struct {
		Gen      int
		Sources  map[Field]Source
		Unplaced []string // each with its reason
		Err      error
	}
	// PreparedSet is the outcome of a Prepare.
	PreparedSet struct {
		Gen      int
		Prepared *Prepared // also with Err, as far as it came
		Err      error
	}
	// Progressed is one step of a long effect.
	Progressed struct {
		Gen      int
		Progress Progress
	}
	// Wrote is the outcome of the Write.
	Wrote struct{ Written Written }
	// Saved is the outcome of a Save.
	Saved struct {
		Path string
		Err  error
	}
)

func (Next) event()            {}
func (Back) event()            {}
func (Goto) event()            {}
func (ChooseProfile) event()   {}
func (SetFact) event()         {}
func (SetNodes) event()        {}
func (LoadNodes) event()       {}
func (NodesRead) event()       {}
func (SetAlgorithm) event()    {}
func (SetValidity) event()     {}
func (SetHierarchy) event()    {}
func (SetMode) event()         {}
func (SetIntermediate) event() {}
func (SetElsewhere) event()    {}
func (SetSource) event()       {}
func (SetPassphrase) event()   {}
func (FillFrom) event()        {}
func (SetCAKeys) event()       {}
func (SetOutput) event()       {}
func (SetLayouts) event()      {}
func (Confirm) event()         {}
func (Look) event()            {}
func (Stop) event()            {}
func (Checked) event()         {}
func (Looked) event()          {}
func (Filled) event()          {}
func (PreparedSet) event()     {}
func (Progressed) event()      {}
func (Wrote) event()           {}
func (Saved) event()           {}

// Effect is what to do. Each answers with one event (and Progressed before it).
type Effect interface{ effect() }

type (
	// CheckSlot judges one slot's material. Running it again for the same slot
	// cancels the one before.
	CheckSlot struct {
		Slot      topology.SlotID
		Gen       int
		Answers   *Answers
		Debounced bool // the answer is still being typed: a short wait saves work
		Rechecked bool
	}
	// LookAtFiles looks whether files changed on disk. The stamps are not to be changed.
	LookAtFiles struct {
		Slots map[topology.SlotID]map[string]Stamp
		// Nodes is the file of the nodes and how it was, "" when there is none.
		Nodes      string
		NodesStamp Stamp
	}
	// ReadNodes reads a table of nodes from a file.
	ReadNodes struct {
		Gen  int
		Path string
	}
	// MakeKeys has keys made ahead, while a person still answers: N of the
	// algorithm are wanted from now on. Nothing has to come of it.
	MakeKeys struct {
		Algorithm issue.Algorithm
		N         int
	}
	// SortFolder sorts a folder's files into fields.
	SortFolder struct {
		Gen     int
		Dir     string
		Answers *Answers
		Fields  []Field
	}
	// Prepare makes the whole set in memory: keys, certificates, findings, proof
	// and files. A newer one cancels it.
	Prepare struct {
		Gen     int
		Answers *Answers
		// Keep, when set, is a set whose keys and certificates still hold: only
		// its files are made anew.
		Keep *Prepared
	}
	// CancelPrepare ends a Prepare that nobody waits for any more.
	CancelPrepare struct{}
	// Write puts the prepared set on the disk. It belongs to main: a quit of the
	// user interface does not end it.
	Write struct {
		Prepared *Prepared
		Answers  *Answers
		Force    bool
	}
	// Save keeps the answers.
	Save struct{ Plan *plan.Plan }
)

func (CheckSlot) effect()     {}
func (LookAtFiles) effect()   {}
func (SortFolder) effect()    {}
func (ReadNodes) effect()     {}
func (MakeKeys) effect()      {}
func (Prepare) effect()       {}
func (CancelPrepare) effect() {}
func (Write) effect()         {}
func (Save) effect()          {}
