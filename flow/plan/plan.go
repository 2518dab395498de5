// Package plan is the answers of one installation as one YAML file. It holds
// paths, never key bytes and never a passphrase. Start with Default for a new
// plan and with Parse for a file.
//
// It opens no files: callers pass bytes, and resolve paths.
package plan

import (
	"maps"
	"slices"
	"time"

	"certwright/certs/issue"
	"certwright/certs/topology"
)

// APIVersion is the version of the schema.
const APIVersion = "certwright/v1"

// Plan is every answer.
type Plan struct {
	APIVersion string                             `yaml:"apiVersion"`
	Profile    string                             `yaml:"profile"` // a built-in name, or the path of a profile
	Facts      map[string]string                  `yaml:"facts,omitempty"`
	Keys       Keys                               `yaml:"keys,omitempty"`
	Validity   Validity                           `yaml:"validity,omitempty"`
	Hierarchy  topology.Hierarchy                 `yaml:"hierarchy,omitempty"` // empty: the profile's
	Components map[topology.ComponentID]Component `yaml:"components,omitempty"`
	Output     Output                             `yaml:"output,omitempty"`
	// Nodes are the machines of the cluster, for a profile that has certificates
	// for each. In a file they are a table under nodes.
	Nodes []topology.Node `yaml:"-"`
	// NodesFrom is the file that holds the nodes, as nodes: {from: FILE} names
	// it. Nodes are then what was read from it, empty before that.
	NodesFrom string `yaml:"-"`
	// Awaiting is the directory with the signing requests that this plan waits
	// for the answers of; empty when it waits for nothing.
	Awaiting string `yaml:"awaiting,omitempty"`

	origin   *origin         // the file that it was read from; nil when it was made here
	fromFlag map[string]bool // facts that Set gave
}

// Keys says what kind of keys are made.
type Keys struct {
	Algorithm issue.Algorithm `yaml:"algorithm,omitempty"` // empty: ecdsa-p256
	CAKeys    CAKeyFate       `yaml:"ca-keys,omitempty"`   // empty: plain
}

// CAKeyFate says what becomes of the keys of the CAs that are made here, which
// the set keeps in ca/ and no program reads from there.
type CAKeyFate string

// The fates.
const (
	CAKeysPlain     CAKeyFate = "plain"     // as they are, mode 0600
	CAKeysEncrypted CAKeyFate = "encrypted" // sealed with age and a passphrase, which is no part of a plan
	CAKeysDiscard   CAKeyFate = "discard"   // not written at all
)

// Validity is how long certificates made here last. Zero: the default.
type Validity struct {
	CA   Duration `yaml:"ca,omitempty"`   // default 87600h, ten years
	Leaf Duration `yaml:"leaf,omitempty"` // default 8760h, a year
}

// Duration is a time.Duration that YAML writes in hours and reads with d and y too.
type Duration time.Duration

// Component is the choice for one component.
type Component struct {
	Mode topology.Mode `yaml:"mode"`
	// CA is the CA in mode bring-ca.
	CA *Files `yaml:"ca,omitempty"`
	// Intermediate asks, in mode bring-ca, for an intermediate of our own.
	Intermediate bool `yaml:"intermediate,omitempty"`
	// Certs are the slots in mode bring-certs, by the slot's name behind the slash.
	Certs map[string]Files `yaml:"certs,omitempty"`
}

// Files are the paths that were handed over for one slot.
type Files struct {
	Cert string `yaml:"cert,omitempty"`
	Key  string `yaml:"key,omitempty"`
	// From is, of a CA, the directory of a set that certwright wrote: the CA is
	// taken from there. Cert and Key are then the files that were found in it,
	// empty before that; a file of a plan has From alone.
	From string `yaml:"from,omitempty"`
	// Offline says of the CA in mode bring-ca that its key is elsewhere: what it
	// signs is asked for with requests.
	Offline bool `yaml:"offline,omitempty"`
	// Authority is the authority of that set; empty: the one of the same name.
	Authority topology.AuthorityID `yaml:"authority,omitempty"`
	// StepCA is, in mode bring-ca, a CA that is asked over the network.
	StepCA StepCA `yaml:"step-ca,omitempty"`
}

// Written are the files as a plan's file says them.
func (f Files) Written() Files {
	if f.From != "" {
		f.Cert, f.Key = "", ""
	}
	return f
}

// Output says where and in which forms the set is written.
type Output struct {
	Dir     string   `yaml:"dir,omitempty"`     // default "generated"
	Layouts []string `yaml:"layouts,omitempty"` // default: the profile's
}

// DefaultDir is where a set is written when nothing else was said.
const DefaultDir = "generated"

// Clone is a copy that shares nothing with the plan.
func (p *Plan) Clone() *Plan {
	out := p.Answers()
	out.Nodes = cloneNodes(p.Nodes)
	return out
}

// Answers is Clone, but for the table of nodes: that is the plan's own and not
// to be changed. A user interface copies the plan often, and the table is large.
func (p *Plan) Answers() *Plan {
	out := *p
	out.Facts = maps.Clone(p.Facts)
	out.Components = maps.Clone(p.Components)
	for id, c := range out.Components {
		if c.CA != nil {
			ca := *c.CA
			c.CA = &ca
		}
		c.Certs = maps.Clone(c.Certs)
		out.Components[id] = c
	}
	out.Output.Layouts = slices.Clone(p.Output.Layouts)
	out.Nodes = slices.Clip(p.Nodes)
	out.fromFlag = maps.Clone(p.fromFlag)
	return &out
}

// Mode is the mode of a component; one that the plan does not name is generated.
//
//go:noinline // many callers, none of them hot
func (p *Plan) Mode(id topology.ComponentID) topology.Mode {
	if c, ok := p.Components[id]; ok && c.Mode != "" {
		return c.Mode
	}
	return topology.Generate
}

// Choices are the choices as topology.Available asks for them.
func (p *Plan) Choices() map[topology.ComponentID]topology.Choice {
	out := map[topology.ComponentID]topology.Choice{}
	for id, c := range p.Components {
		out[id] = topology.Choice{Mode: p.Mode(id), CAKey: c.Certs["ca"].Key != "", Intermediate: c.Intermediate}
	}
	return out
}

// Offline says whether a component's CA was brought and its key is elsewhere.
func (p *Plan) Offline(id topology.ComponentID) bool {
	c := p.Components[id]
	return p.Mode(id) == topology.BringCA && c.CA != nil && c.CA.Offline
}

// Equal says whether two plans hold the same answers, whatever file they came from.
func (p *Plan) Equal(other *Plan) bool {
	if p == nil || other == nil {
		return p == other
	}
	return p.APIVersion == other.APIVersion && p.Profile == other.Profile && maps.Equal(p.Facts, other.Facts) &&
		p.Keys == other.Keys && p.Validity == other.Validity && p.Hierarchy == other.Hierarchy &&
		p.NodesFrom == other.NodesFrom && p.Awaiting == other.Awaiting && slices.EqualFunc(p.Nodes, other.Nodes, sameNode) &&
		maps.EqualFunc(p.Components, other.Components, Component.equal) &&
		p.Output.Dir == other.Output.Dir && slices.Equal(p.Output.Layouts, other.Output.Layouts)
}

func (c Component) equal(other Component) bool {
	same := func(a, b Files) bool { return a.Written() == b.Written() }
	sameCA := (c.CA == nil) == (other.CA == nil) && (c.CA == nil || same(*c.CA, *other.CA))
	return sameCA && c.Mode == other.Mode && c.Intermediate == other.Intermediate && maps.EqualFunc(c.Certs, other.Certs, same)
}
