// Package topology is the model of a cluster's PKI: which authorities there
// are, which certificates they sign, who dials whom with them, and where each
// one is used. Start with a Profile (data, read by assets/profiles) and call
// Resolve with the facts of one cluster: the Topology that comes back holds no
// open value any more, and all other packages of certs work on it.
//
// It makes no key, reads no file, opens no connection and asks no clock.
package topology

import (
	"fmt"
	"slices"
	"strings"
)

// Identifiers are the words of the profile, never translated.
type (
	// AuthorityID names a CA of the profile: "etcd", "kube", "ingress".
	AuthorityID string
	// ComponentID names a unit of choice: "etcd", "kube", "identity".
	ComponentID string
	// SlotID names one certificate: "etcd/server", and with a node
	// "kube/kubelet-client@worker-0".
	SlotID string
)

// Component is the part of the slot's name before the slash.
func (s SlotID) Component() ComponentID {
	c, _, _ := strings.Cut(string(s), "/")
	return ComponentID(c)
}

// Base is the slot's name without a node: how the profile wrote it.
func (s SlotID) Base() SlotID {
	b, _, _ := strings.Cut(string(s), "@")
	return SlotID(b)
}

// Node is the node that the slot belongs to, or "".
func (s SlotID) Node() string {
	_, n, _ := strings.Cut(string(s), "@")
	return n
}

// Name is the part after the slash, with its node: "server", "kubelet-client@worker-0".
func (s SlotID) Name() string {
	_, n, _ := strings.Cut(string(s), "/")
	return n
}

// Mode is how a component gets its certificates.
type Mode string

// The three modes, in the order in which they are offered.
const (
	Generate   Mode = "generate"
	BringCA    Mode = "bring-ca"
	BringCerts Mode = "bring-certs"
)

// Modes lists the modes in the order in which they are offered.
func Modes() []Mode { return []Mode{Generate, BringCA, BringCerts} }

// Letter is the mode's letter on screen: G, C or B.
//
//go:noinline // many callers, none of them hot
func (m Mode) Letter() string {
	switch m {
	case Generate:
		return "G"
	case BringCA:
		return "C"
	case BringCerts:
		return "B"
	}
	return "?"
}

// Words is the mode as a person reads it: "generate", "bring CA", "bring certs".
//
//go:noinline // many callers, none of them hot
func (m Mode) Words() string {
	switch m {
	case Generate:
		return "generate"
	case BringCA:
		return "bring CA"
	case BringCerts:
		return "bring certs"
	}
	return string(m)
}

// ParseMode reads a mode as a plan writes it.
func ParseMode(s string) (Mode, error) {
	if m := Mode(s); slices.Contains(Modes(), m) {
		return m, nil
	}
	return "", fmt.Errorf("unknown mode %q: use generate, bring-ca or bring-certs", s)
}

// Kind says what a slot holds.
type Kind string

// The kinds of slot.
const (
	Leaf    Kind = "leaf"    // an end-entity certificate and its key
	CA      Kind = "ca"      // the certificate of an authority
	KeyPair Kind = "keypair" // a private key and its public key, no certificate
)

// Usage is an extended key usage in cert-manager's words.
type Usage string

// The two usages that the connections of a cluster know.
const (
	ServerAuth Usage = "server auth"
	ClientAuth Usage = "client auth"
)

// Profile is a topology as data, with values computed from facts still open.
// The YAML of a profile decodes into it; Validate says what is wrong with it.
type Profile struct {
	APIVersion  string          `yaml:"apiVersion"`
	Kind        string          `yaml:"kind"`
	Name        string          `yaml:"name"`
	Title       string          `yaml:"title"`
	Summary     string          `yaml:"summary"`
	Facts       []Fact          `yaml:"facts"`
	Hierarchy   Hierarchy       `yaml:"hierarchy"`
	Root        Subject         `yaml:"root"`
	Algorithms  []string        `yaml:"algorithms"`
	Authorities []AuthoritySpec `yaml:"authorities"`
	Components  []ComponentSpec `yaml:"components"`
	Slots       []SlotSpec      `yaml:"slots"`
	Edges       []EdgeSpec      `yaml:"edges"`
	Kubeconfigs []Kubeconfig    `yaml:"kubeconfigs"`
	Install     []Place         `yaml:"install"`
	Settings    []Setting       `yaml:"settings"`
	Secrets     []Secret        `yaml:"secrets"`
	APIServices []APIService    `yaml:"apiServices"`
	Exports     []Export        `yaml:"exports"`
	Layouts     []string        `yaml:"layouts"` // what is written when nothing else is asked for
	Offers      []string        `yaml:"offers"`  // further layouts that may be asked for
	NextSteps   []Step          `yaml:"nextSteps"`
}

// Hierarchy is what generate makes when the plan does not say.
type Hierarchy string

// The hierarchies.
const (
	Intermediates Hierarchy = "intermediates" // one root, one intermediate for each authority
	Roots         Hierarchy = "roots"         // each authority a root of its own (--flat)
)

// FactType is what a fact's value must look like.
type FactType string

// The fact types. A type in the plural takes a comma list.
const (
	TypeLabel     FactType = "label"     // one RFC 1123 label: demo
	TypeDomain    FactType = "domain"    // a DNS name: example.com
	TypeHost      FactType = "host"      // a DNS name or an IP address
	TypeHosts     FactType = "hosts"     // several hosts
	TypeCIDRs     FactType = "cidrs"     // one or, dual-stack, several networks
	TypeAddresses FactType = "addresses" // several IP addresses
	TypeText      FactType = "text"      // free text without control characters, and without a blank at its ends
	TypeNode      FactType = "node"      // a node's name: lower-cased, as the kubelet does
	TypeVersion   FactType = "version"   // 1.36 or 1.36.1
	TypeSPIFFE    FactType = "spiffe"    // a SPIFFE ID: spiffe://example.org/felix
)

// Fact is a value of the cluster that names depend on.
type Fact struct {
	Name     string   `yaml:"name"`
	Title    string   `yaml:"title"`
	Type     FactType `yaml:"type"`
	Default  string   `yaml:"default"`  // may use other facts: "{{cluster.name}}-api.{{cluster.domain}}"
	Optional bool     `yaml:"optional"` // may be empty
	Help     string   `yaml:"help"`     // what it decides
	Example  string   `yaml:"example"`  // named in the error of a wrong value
	Choices  []string `yaml:"choices"`  // when not empty, the only values
	PerNode  bool     `yaml:"perNode"`  // of the one node; a table of nodes takes its place
	Min      string   `yaml:"min"`      // of a version: the first and the last that the profile knows
	Max      string   `yaml:"max"`
	// Defaults take the place of Default under a condition on facts above it;
	// the first that holds counts.
	Defaults []DefaultVariant `yaml:"defaults"`
}

// DefaultVariant is a fact's default under a condition.
type DefaultVariant struct {
	When  string `yaml:"when"`
	Value string `yaml:"value"`
}

// Subject is a distinguished name as the cluster reads it: the user in CN, a
// group in each O.
type Subject struct {
	CN string   `yaml:"cn"`
	O  []string `yaml:"o"`
}

// String writes the subject in the order in which openssl prints it: O first.
func (s Subject) String() string {
	var parts []string
	for _, o := range s.O {
		parts = append(parts, "O="+o)
	}
	if s.CN != "" {
		parts = append(parts, "CN="+s.CN)
	}
	return strings.Join(parts, ", ")
}

// AuthoritySpec is a CA of the profile. Its certificate is the slot Slot.
type AuthoritySpec struct {
	ID       AuthorityID `yaml:"id"`
	Title    string      `yaml:"title"`
	Slot     SlotID      `yaml:"slot"`
	Protects string      `yaml:"protects"` // what a holder of its key could open, in a sentence
	When     string      `yaml:"when"`     // the condition under which it is there
}

// ComponentSpec is a unit of choice. Its leaves are signed by Authority.
type ComponentSpec struct {
	ID        ComponentID `yaml:"id"`
	Title     string      `yaml:"title"`
	Authority AuthorityID `yaml:"authority"`
	Help      string      `yaml:"help"`
	When      string      `yaml:"when"` // the condition under which it is there
	// Variants change the authority where a condition holds; the first that
	// does counts.
	Variants []ComponentVariant `yaml:"variants"`
}

// ComponentVariant is a component under a condition.
type ComponentVariant struct {
	When      string      `yaml:"when"`
	Authority AuthorityID `yaml:"authority"`
}

// NameSpec is one subject alternative name of a slot. Exactly one of Host, DNS,
// IP and URI is set; Host becomes an IP or a DNS name by its form.
// A name is issued always; it is required of a brought certificate only when
// Required says why.
type NameSpec struct {
	Host     string `yaml:"host"`
	DNS      string `yaml:"dns"`
	IP       string `yaml:"ip"`
	URI      string `yaml:"uri"`
	Required string `yaml:"required"` // who dials it: the reason that a finding gives
	Advised  string `yaml:"advised"`  // who may dial it: missing, it is a hint, and a handshake for it may fail
}

// Requirement is what a brought certificate must have; what we issue has more.
type Requirement struct {
	Usages  []Usage    `yaml:"usages"`  // missing: an error
	Advised []Usage    `yaml:"advised"` // missing: a warning, for AdvisedWhy
	Why     string     `yaml:"why"`     // what needs Usages
	Advice  string     `yaml:"advice"`  // what misses Advised
	CN      string     `yaml:"cn"`      // the exact common name, when a component reads it
	Groups  [][]string `yaml:"groups"`  // any one of these sets of O is enough
	Reader  string     `yaml:"reader"`  // who reads CN, Groups and URI, for the finding
	// Advisory says that rights may be bound to another subject just as well:
	// one that differs is a warning.
	Advisory bool `yaml:"advisory"`
	// URI is the URI name that a component compares byte for byte. With CN set
	// too, either one is enough.
	URI string `yaml:"uri"`
}

// Files are the names under tls/ in the layout "tree". An empty name is not written.
type Files struct {
	Cert   string `yaml:"cert"`
	Key    string `yaml:"key"`
	Public string `yaml:"public"` // the public key of a key pair
	Bundle string `yaml:"bundle"` // a CA and all above it, for OpenSSL's tools
	// KeyFor says of the key of a CA what is done with it where it is deployed,
	// in a clause: "kubeadm issues and renews with it".
	KeyFor string `yaml:"keyFor"`
}

// Name is the file of a field, "" when it is not written.
func (f Files) Name(field Field) string {
	switch field {
	case FieldCert:
		return f.Cert
	case FieldKey:
		return f.Key
	case FieldPublic:
		return f.Public
	case FieldBundle:
		return f.Bundle
	}
	return ""
}

// Consumer is one parameter that takes a file of the slot.
type Consumer struct {
	Component string `yaml:"component"` // the program: etcd, kube-apiserver
	As        As     `yaml:"as"`        // flag, env, config, json, secret, kubeconfig or manifest
	Name      string `yaml:"name"`      // --cert-file, BRIDGE_CA_FILE, grpc.tlsCert
	Field     Field  `yaml:"field"`     // which file of the slot; default cert
	Secret    string `yaml:"secret"`    // namespace/name, for the form secret
	Needs     Field  `yaml:"needs"`     // left out when the set lacks this field of the slot: a CA's key
	When      string `yaml:"when"`      // the condition under which to set it; empty: always
}

// As is the form of a consumer's parameter.
type As string

// The forms.
const (
	AsFlag   As = "flag"
	AsEnv    As = "env"
	AsConfig As = "config" // a key of a YAML file, with dots between its levels
	AsJSON   As = "json"   // the same of a JSON file
	AsSecret As = "secret" // the parameter names a Secret, whose name is in Consumer.Secret
	// AsKubeconfig is a parameter that takes the kubeconfig made of the slot.
	AsKubeconfig As = "kubeconfig"
	// AsManifest is a field of an object of the cluster, which the layout
	// "secrets" writes; its name is for people.
	AsManifest As = "manifest"
)

// Field is one file of a slot.
type Field string

// The fields.
const (
	FieldCert   Field = "cert"
	FieldKey    Field = "key"
	FieldPublic Field = "public"
	FieldBundle Field = "bundle"
	// FieldID is, for outputs only, a checksum over all files of the module, so
	// that what depends on them is made anew when one changes.
	FieldID Field = "id"
)

// Output is one output of a Terraform module, the same in every mode.
type Output struct {
	Module string `yaml:"module"`
	Name   string `yaml:"name"`
	Field  Field  `yaml:"field"`
}

// SlotSpec is one certificate of a component, with its role.
type SlotSpec struct {
	ID         SlotID        `yaml:"id"`
	Kind       Kind          `yaml:"kind"` // default leaf
	Authority  AuthorityID   `yaml:"authority"`
	Title      string        `yaml:"title"`
	Purpose    string        `yaml:"purpose"`
	Subject    Subject       `yaml:"subject"`
	Names      []NameSpec    `yaml:"names"`
	Usages     []Usage       `yaml:"usages"`
	Requires   Requirement   `yaml:"requires"`
	Optional   bool          `yaml:"optional"`   // bring-certs may leave it out: it is made here then
	Per        Per           `yaml:"per"`        // node, control-plane or worker: one for each; empty: one for the cluster
	On         Per           `yaml:"on"`         // of one for the cluster: the nodes whose tree holds a copy, or nowhere; empty: control-plane
	When       string        `yaml:"when"`       // the condition under which it is there
	Variants   []SlotVariant `yaml:"variants"`   // what is different under a condition; the first that holds counts
	Algorithms []string      `yaml:"algorithms"` // allowed algorithms; empty: those of the profile
	Files      Files         `yaml:"files"`
	Consumers  []Consumer    `yaml:"consumers"`
	Outputs    []Output      `yaml:"outputs"`
}

// SlotVariant is what differs of a slot under a condition. What it leaves out
// stays as the slot says.
type SlotVariant struct {
	When      string       `yaml:"when"`
	Subject   *Subject     `yaml:"subject"`
	Names     []NameSpec   `yaml:"names"`
	Usages    []Usage      `yaml:"usages"`
	Requires  *Requirement `yaml:"requires"`
	Files     *Files       `yaml:"files"`
	Also      []Files      `yaml:"also"` // further names under which the same files are written
	Consumers []Consumer   `yaml:"consumers"`
}

// End is one side of an edge.
type End struct {
	Name string `yaml:"name"` // the program on this side: "API server", "browser"
	Slot SlotID `yaml:"slot"` // the certificate that it presents; a client may have none
}

// Identity says who reads the client's identity beyond the chain.
type Identity string

// The identity rules.
const (
	IdentityNone       Identity = ""           // any certificate of the authority
	IdentityKubernetes Identity = "kubernetes" // user from CN, groups from O
	IdentityPeer       Identity = "etcd-peer"  // the remote address must be among the client's names
	// IdentityTypha compares CN or URI of both sides with what their slots
	// require, byte for byte, and no host name.
	IdentityTypha Identity = "typha"
	// IdentityFrontProxy admits the common names of the client's slot alone.
	IdentityFrontProxy Identity = "front-proxy"
	// IdentityName admits a certificate that has one of the names of From.
	IdentityName Identity = "name"
)

// EdgeSpec is one TLS connection of the running cluster.
type EdgeSpec struct {
	ID       string      `yaml:"id"`
	Title    string      `yaml:"title"`
	Client   End         `yaml:"client"`
	Server   End         `yaml:"server"`
	Dials    []NameSpec  `yaml:"dials"`    // each host name and address that the client uses
	From     []NameSpec  `yaml:"from"`     // the addresses and names that the client dials from, or with identity name must have; empty: those of Dials
	When     string      `yaml:"when"`     // the condition under which it is there
	ServerCA AuthorityID `yaml:"serverCA"` // whose certificate the client trusts; empty: the server is not verified
	ClientCA AuthorityID `yaml:"clientCA"` // whose certificate the server trusts; empty: no client certificate asked
	Identity Identity    `yaml:"identity"`
	Note     string      `yaml:"note"`
	Within   bool        `yaml:"within"` // both ends are on the same node
}

// Kubeconfig is a file made of a client slot and the CA of the API server.
type Kubeconfig struct {
	File    string      `yaml:"file"` // under tls/
	Cluster string      `yaml:"cluster"`
	Server  string      `yaml:"server"`
	Slot    SlotID      `yaml:"slot"`
	CA      AuthorityID `yaml:"ca"`
	Purpose string      `yaml:"purpose"`
	User    string      `yaml:"user"` // its name in the file; empty: the CN of the slot
	Per     Per         `yaml:"per"`  // node, control-plane or worker: one for each
	When    string      `yaml:"when"` // the condition under which it is there
	// Servers take the place of Server under a condition; the first that holds
	// counts.
	Servers []ServerVariant `yaml:"servers"`

	Node string `yaml:"-"` // filled in
}

// ServerVariant is the server of a kubeconfig under a condition, and with
// per: control-plane only on control-plane nodes.
type ServerVariant struct {
	When   string `yaml:"when"`
	Per    Per    `yaml:"per"`
	Server string `yaml:"server"`
}
