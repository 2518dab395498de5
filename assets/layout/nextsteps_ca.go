package layout

import (
	"fmt"
	"slices"
	"strings"

	"certwright/certs/topology"
	"certwright/certs/untrusted"
)

// caFiles says which CA file is for whom: programs in Go, curl, nginx and
// browsers take an intermediate as the anchor it is; OpenSSL's own commands
// and Python before 3.13 insist on the root.
func (j *job) caFiles(p *page) {
	p.section("Which CA file is for whom")
	var rows [][]string
	for _, a := range j.t.Authorities {
		s := j.t.CASlot(a.ID)
		if s.Files.Cert != "" {
			who := j.trusters(s)
			if slices.Contains(j.browsed(), a.ID) && isRoot(j.set.Anchor(a.ID)) {
				who = append(who, "browsers")
			}
			rows = append(rows, []string{code(treeDir + s.Files.Cert), strings.Join(who, ", ")})
		}
		if s.Files.Bundle != "" {
			rows = append(rows, []string{code(treeDir + s.Files.Bundle), "openssl's own commands, Python before 3.13"})
		}
	}
	p.table([]string{"file", "for"}, rows)
	p.text("A CA file holds the one CA whose certificates are to be believed, and nothing above it: with a root that several CAs share in it, " +
		"a certificate of any of them would open the component. A bundle adds what stands above; give it to no program that checks clients.")
	for _, a := range j.browsed() {
		j.browser(p, a)
	}
}

// trusters are the programs that a CA's certificate is configured in.
func (j *job) trusters(s *topology.Slot) []string {
	var out []string
	for _, c := range s.Consumers {
		if c.Field == topology.FieldCert && !slices.Contains(out, c.Component) {
			out = append(out, c.Component)
		}
	}
	return out
}

// browsed are the authorities whose servers browsers dial: their clients in
// the profile are called so, and have no certificate.
func (j *job) browsed() []topology.AuthorityID {
	var out []topology.AuthorityID
	for _, e := range j.t.Edges {
		if e.Client.Slot == "" && e.Client.Name == "browser" && e.ServerCA != "" && !slices.Contains(out, e.ServerCA) {
			out = append(out, e.ServerCA)
		}
	}
	return out
}

// browser says what people import: the root that the authority hangs from.
func (j *job) browser(p *page, a topology.AuthorityID) {
	slot := j.t.CASlot(a)
	chain := j.set.Pairs[slot.ID].Certificates
	top := chain[len(chain)-1]
	file := ""
	switch {
	case j.set.Root != nil && top.Equal(j.set.Root.Leaf()):
		file = caDir + rootName + ".crt"
	case isRoot(top) && len(chain) == 1:
		file = treeDir + slot.Files.Cert
	case isRoot(top):
		p.text("Browsers (%s): people import its root, %s, the last certificate of %s, unless they have it already.",
			slot.Title, code(subject(top)), code(treeDir+slot.Files.Bundle))
		return
	default:
		p.text("Browsers (%s): people need the root above %s. It was not handed over: ask whoever runs that CA.", slot.Title, code(subject(top)))
		return
	}
	p.text("Browsers (%s): people import %s, the certificate of %s (in Firefox and Chromium: settings, certificates, authorities, import). On Linux for Chromium:", slot.Title, code(file), code(subject(top)))
	p.commands(fmt.Sprintf("certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n %s -i %s",
		untrusted.Text(subject(top)).ShellArg(), untrusted.Text(j.abs(file)).ShellArg()))
}

// verify gives openssl's check of each certificate: with the CA file, which
// needs -partial_chain, and with the bundle, where that reaches up to a root.
func (j *job) verify(p *page) {
	p.section("Check it with openssl")
	p.text("Each line must end in OK. Plain %s wants a root in its CA file; %s makes it take the CA as the anchor that it is for all other programs.",
		code("openssl verify"), code("-partial_chain"))
	var lines, bundles []string
	roots := map[string]bool{} // whether a certificate is one: most chains end in the same
	for _, l := range j.kinds() {
		s := l.slot
		ca := j.t.CASlot(s.Authority)
		if s.Kind != topology.Leaf || s.Files.Cert == "" || ca == nil || ca.Files.Cert == "" {
			continue
		}
		leaf := j.shellFile(l, s.Files.Cert)
		for _, use := range purposes(s) {
			lines = append(lines, fmt.Sprintf("openssl verify -purpose %s -partial_chain -CAfile %s %s",
				use, untrusted.Text(j.abs(treeDir+ca.Files.Cert)).ShellArg(), leaf))
		}
		if ca.Files.Bundle == "" {
			continue
		}
		chain := j.set.Pairs[ca.ID].Certificates
		top := chain[len(chain)-1]
		if _, known := roots[string(top.Raw)]; !known {
			roots[string(top.Raw)] = isRoot(top)
		}
		if roots[string(top.Raw)] {
			bundles = append(bundles, fmt.Sprintf("openssl verify -CAfile %s %s", untrusted.Text(j.abs(treeDir+ca.Files.Bundle)).ShellArg(), leaf))
		}
	}
	p.commands(lines...)
	if len(bundles) > 0 {
		p.text("Or with the bundle, as programs do that know no %s:", code("-partial_chain"))
		p.commands(bundles...)
	}
}

// purposes are openssl's words for what the slot's own certificate is good for:
// a brought one may lack what we would have issued.
func purposes(s *topology.Slot) []string {
	var out []string
	for _, u := range s.Requires.Usages {
		switch u {
		case topology.ServerAuth:
			out = append(out, "sslserver")
		case topology.ClientAuth:
			out = append(out, "sslclient")
		}
	}
	if len(out) == 0 {
		out = []string{"any"}
	}
	return out
}
