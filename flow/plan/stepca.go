package plan

import (
	"encoding/hex"
	"net/url"
	"strings"

	"certwright/assets/yamlfile"
	"certwright/certs/topology"
)

// StepCA is a CA that is asked over the network: a step-ca, through a
// provisioner of type JWK. The password of its key is in a file, or asked for.
type StepCA struct {
	URL          string `yaml:"url"`
	Root         string `yaml:"root,omitempty"`        // the file of the root's certificate
	Fingerprint  string `yaml:"fingerprint,omitempty"` // of the root: SHA-256
	Provisioner  string `yaml:"provisioner"`
	PasswordFile string `yaml:"password-file,omitempty"`
}

// StepCA is the CA that a component's certificates are asked of, nil when there
// is none.
func (p *Plan) StepCA(id topology.ComponentID) *StepCA {
	c := p.Components[id]
	if p.Mode(id) != topology.BringCA || c.CA == nil || c.CA.StepCA == (StepCA{}) {
		return nil
	}
	return &c.CA.StepCA
}

// checkStepCA says what of the form is wrong.
func checkStepCA(at string, f *Files, r *yamlfile.Report) {
	s := f.StepCA
	if s == (StepCA{}) {
		return
	}
	at += ".step-ca"
	switch {
	case !strings.HasSuffix(at, ".ca.step-ca") || strings.Contains(at, ".certs."):
		r.Bad(at, "is for the CA of a component in mode bring-ca: components.NAME.ca.step-ca")
		return
	case f.Cert != "" || f.Key != "" || f.From != "" || f.Offline:
		r.Bad(at, "is asked for certificates, and a CA in files signs them here; remove the one or the other")
	}
	if u, err := url.Parse(s.URL); err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" {
		r.Bad(at+".url", "must be the address of a step-ca, such as https://ca.example.com:9000")
	}
	print := strings.ReplaceAll(s.Fingerprint, ":", "")
	switch sum, err := hex.DecodeString(print); {
	case s.Root == "" && s.Fingerprint == "":
		r.Bad(at, "pins no root, and no server is believed without; write fingerprint: (step certificate fingerprint root_ca.crt) or root: FILE")
	case s.Fingerprint != "" && (err != nil || len(sum) != 32):
		r.Bad(at+".fingerprint", "must be the SHA-256 of the root's certificate, 64 hexadecimal digits")
	}
	if s.Provisioner == "" {
		r.Bad(at+".provisioner", "is missing; name a provisioner of type JWK (step ca provisioner list)")
	}
}

func stepCA(s StepCA) *node {
	out := &node{flow: true}
	out.text("url", s.URL)
	out.text("root", s.Root)
	out.text("fingerprint", s.Fingerprint)
	out.text("provisioner", s.Provisioner)
	out.text("password-file", s.PasswordFile)
	return out
}
