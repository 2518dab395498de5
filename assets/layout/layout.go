// Package layout turns a set of certificates into files: one file of Go for
// each layout. All layouts are made from the same slots, so they agree. Start
// with Render.
//
// It writes nothing to a disk; package store does.
package layout

import (
	"io/fs"
	"time"

	"certwright/certs"
	"certwright/certs/topology"
)

// Kind says what a file holds.
type Kind string

// The kinds of file.
const (
	KindCertificate Kind = "certificate" // a leaf and its intermediates
	KindCA          Kind = "ca"          // one CA certificate
	KindBundle      Kind = "bundle"      // a CA and all above it
	KindKey         Kind = "key"
	KindCAKey       Kind = "ca-key"
	KindPublicKey   Kind = "public-key"
	KindKubeconfig  Kind = "kubeconfig"
	KindSecret      Kind = "secret"   // manifests of Secrets, which hold keys
	KindConfig      Kind = "config"   // flags, manifests, modules
	KindDocument    Kind = "document" // for people
)

// File is one file of the output, with its path below the output directory.
type File struct {
	Path     string // slash-separated, relative
	Data     []byte
	Mode     fs.FileMode
	Kind     Kind
	Slot     topology.SlotID // "" when the file belongs to no single slot
	Serial   string          // hexadecimal, of the first certificate in it
	NotAfter time.Time       // zero when it holds no certificate
}

// Private says whether the file holds a private key.
func (f File) Private() bool {
	return f.Kind == KindKey || f.Kind == KindCAKey || f.Kind == KindKubeconfig || f.Kind == KindSecret
}

// Request is a set to be rendered.
type Request struct {
	Set     *certs.Set
	Layouts []string // "tree", "flags" …; default: the profile's
	Dir     string   // where the files will lie, for the commands in documents
	// Home is where the tree lies on the machines that use it, where that is not
	// Dir and the profile names no place: the files of a stage take the place of
	// those of the set before it.
	Home    string
	Plan    []byte // certwright.yaml, written beside them
	Now     time.Time
	Version string
	// Ends are the certificates of the nodes that an outline leaves out, by the
	// slot's name in the profile, for the document's calendar.
	Ends map[topology.SlotID][]End
}

// End is how many certificates end on one day.
type End struct {
	At    time.Time
	Count int
}

func (e End) day() string { return e.At.UTC().Format(time.DateOnly) }
