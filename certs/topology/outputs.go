package topology

import (
	"path"
	"slices"
	"strings"
)

// AllLayouts lists the layouts that a plan for the profile may name: those
// that are written by default, then those that it offers beside them.
func (p *Profile) AllLayouts() []string {
	return append(slices.Clone(p.Layouts), p.Offers...)
}

// Place says where a part of the tree lies on the machines that use it. A
// profile without places has its tree where it was written, everywhere.
type Place struct {
	From string `yaml:"from"` // a directory of the tree; empty: all that no other place names
	To   string `yaml:"to"`   // an absolute path
}

// Holds says whether a file of the tree belongs to the place.
func (p Place) Holds(file string) bool {
	return p.From == "" || strings.HasPrefix(file, p.From+"/")
}

// PlaceOf is the place of a file of the tree, the most exact one that holds
// it; false when the profile names none.
func (p *Profile) PlaceOf(file string) (Place, bool) {
	var best Place
	found := false
	for _, place := range p.Install {
		if place.Holds(file) && (!found || len(place.From) > len(best.From)) {
			best, found = place, true
		}
	}
	return best, found
}

// Installed is where a file of the tree lies on the machines that use it.
func (p *Profile) Installed(file string) (string, bool) {
	place, ok := p.PlaceOf(file)
	if !ok {
		return "", false
	}
	return path.Join(place.To, strings.TrimPrefix(file, place.From)), true
}

// Setting is what a program is told beside files: the common name that it asks
// of its clients, a switch without which it does not ask for a certificate.
type Setting struct {
	Component string `yaml:"component"` // the program, as in Consumer
	As        As     `yaml:"as"`        // flag, env, config or json
	Name      string `yaml:"name"`
	Value     string `yaml:"value"` // may use facts; one that comes out empty is not set
	When      string `yaml:"when"`  // the condition under which it is there
}

// The kinds of object that a Secret of a profile may be.
const (
	KindSecret    = "Secret"
	KindConfigMap = "ConfigMap"
)

// Secret is a Kubernetes Secret or ConfigMap made of files of slots.
type Secret struct {
	Kind      string       `yaml:"kind"`      // Secret or ConfigMap; default Secret
	Name      string       `yaml:"name"`      // may use facts
	Namespace string       `yaml:"namespace"` // may use facts
	Type      string       `yaml:"type"`      // of a Secret; default Opaque
	Purpose   string       `yaml:"purpose"`
	When      string       `yaml:"when"` // the condition under which it is there
	Data      []SecretItem `yaml:"data"`
}

// SecretItem is one key of a Secret: a file of a slot, or a value.
type SecretItem struct {
	Key   string `yaml:"key"`
	Slot  SlotID `yaml:"slot"`
	Field Field  `yaml:"field"` // default cert
	// Value is text instead of a file. It may use facts, is written byte for
	// byte without a newline at its end, and is left out when it comes out empty.
	Value string `yaml:"value"`
	When  string `yaml:"when"` // the condition under which it is there
}

// APIService is an extension API server whose registration is patched, so that
// the API server believes it.
type APIService struct {
	Name    string `yaml:"name"` // of the APIService: v3.projectcalico.org
	Slot    SlotID `yaml:"slot"` // whose certificate becomes its caBundle
	Purpose string `yaml:"purpose"`
	When    string `yaml:"when"` // the condition under which it is there
}

// The layouts of other systems that Exports fill.
const (
	ExportClusterAPI = "cluster-api"
	ExportK3s        = "k3s"
)

// Export says which slot is what in a layout of another system.
type Export struct {
	Layout string `yaml:"layout"` // cluster-api or k3s
	As     string `yaml:"as"`     // cluster-api: ca, etcd, proxy or sa; k3s: server-ca, etcd/peer-ca … and service
	Slot   SlotID `yaml:"slot"`
	When   string `yaml:"when"` // the condition under which it is there
}

// ExportRoles lists what the layout of another system consists of, nil when
// there is no such layout.
func ExportRoles(layout string) []string {
	switch layout {
	case ExportClusterAPI:
		return []string{"ca", "etcd", "proxy", "sa"}
	case ExportK3s:
		return []string{"server-ca", "client-ca", "request-header-ca", "etcd/peer-ca", "etcd/server-ca", "service"}
	}
	return nil
}

// KeyRole says whether a role of a layout is the service account keys' and not
// a CA's.
func (e Export) KeyRole() bool { return e.As == "sa" || e.As == "service" }

// Step is one part of NEXT-STEPS.md; its text and commands may use facts. In
// commands $DIR stands for the directory that was written, $FLAGS for the
// program's parameters and $PIN for sha256: and the SHA-256 of the public key
// of Pin's CA, as kubeadm join takes it; package layout knows them.
type Step struct {
	Title   string      `yaml:"title"`
	Text    string      `yaml:"text"`
	Program string      `yaml:"program"` // the consumer whose files are copied
	Each    string      `yaml:"each"`    // a fact that lists hosts: Run is for each one, {{each}}
	Run     []string    `yaml:"run"`     // commands to paste
	Pin     AuthorityID `yaml:"pin"`
	Layout  string      `yaml:"layout"` // only where this layout is written; empty: always
	For     Role        `yaml:"for"`    // only where there is a further node of this role, beside the first control plane
	When    string      `yaml:"when"`   // the condition under which it is there

	Hosts []HostStep `yaml:"-"` // Run, filled in, for each host of Each; Run is empty then
}

// HostStep is the commands of a step for one host.
type HostStep struct {
	Host string
	Run  []string
}
