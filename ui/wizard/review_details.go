package wizard

import (
	"strings"

	"certwright/assets/layout"
	"certwright/certs/check"
	"certwright/certs/topology"
	"certwright/certs/untrusted"
	"certwright/flow"
	"certwright/ui/theme"
)

// details say what the row under the cursor is and who uses it.
func (s *reviewScreen) details(w int) []string {
	if s.forms.open {
		return s.formRows(w)
	}
	if s.cursor >= len(s.rows) {
		return nil
	}
	r := s.rows[s.cursor]
	a := about{Theme: s.Theme, w: w, label: 9}
	if r.change != nil {
		s.aboutFile(&a, r.change)
		return a.rows
	}
	a.row("holds", count(r.files, "file"))
	if words := dirWords(r.dir); words != "" {
		a.row("for", words)
	}
	if r.dir == "ca" && s.Flow.MakesCAs() {
		a.row("keys", s.caKeysWords())
	}
	return a.rows
}

// aboutFile says of a file what it is and who uses it, and what happens to it:
// that first where there is something to lose.
func (s *reviewScreen) aboutFile(a *about, c *flow.Change) {
	if c.What != flow.Added {
		a.rows = append(a.rows, styled(a.Theme, whatRole(c.What), wrap(whatWords(c.What), a.w))...)
	}
	if c.Modified {
		a.rows = append(a.rows, styled(a.Theme, theme.Warn, wrap("the one that is there was changed since certwright wrote it", a.w))...)
	}
	for _, f := range s.of.Findings {
		if f.Slot == c.Slot && f.Slot != "" && f.Severity != check.Info {
			for i, l := range wrap(sentence(f.Message, f.Fix), a.w-2) {
				sign := theme.NoSign
				if i == 0 {
					sign = theme.WarnSign
				}
				a.rows = append(a.rows, a.Line().Mark(sign).Plain(" "+l).String())
			}
		}
	}
	if len(a.rows) > 0 {
		a.rows = append(a.rows, "")
	}
	a.row("is", kindWords(c.Kind))
	if slot := s.of.Topology.Slot(c.Slot); slot != nil {
		s.aboutSlot(a, slot, c)
	}
	if c.Kind == layout.KindCAKey && strings.HasPrefix(c.Path, "ca/") {
		a.row("kept", s.caKeysWords())
	}
	if end := s.ends(c.Path); end != "" {
		a.row("ends", end)
	}
	switch c.What {
	case flow.Overwrite, flow.Takeover:
		a.row("size", untrusted.Size(c.OldSize)+" now, then "+untrusted.Size(c.Size))
	case flow.Added:
		a.roled(string(c.What), whatWords(c.What), whatRole(c.What))
	}
}

// aboutSlot says whose file it is, and which parameters take it.
func (s *reviewScreen) aboutSlot(a *about, slot *topology.Slot, c *flow.Change) {
	m := s.of.Set.Modes[c.Slot.Component()]
	a.roled("mode", m.Letter()+"  "+m.Words(), theme.RoleOf(m.Letter()))
	a.row("of", untrusted.Text(slot.Title).Max(60)+" ("+usageWords(slot)+")")
	field := fieldOf(c.Kind)
	n := 0
	for _, u := range slot.Consumers {
		if u.Field == field {
			a.row(first(n, "used by"), untrusted.Text(u.Component).Max(60)+" "+untrusted.Text(u.Name).Max(80))
			n++
		}
	}
	if n == 0 && slot.Purpose != "" {
		a.row("for", untrusted.Text(slot.Purpose).Max(300))
	}
}

// ends is when the first certificate of a file ends.
func (s *reviewScreen) ends(file string) string {
	for i := range s.of.Files {
		if f := &s.of.Files[i]; f.Path == file && !f.NotAfter.IsZero() {
			return f.NotAfter.UTC().Format("2006-01-02") + ", in " + count(int(f.NotAfter.Sub(s.Now()).Hours()/24), "day")
		}
	}
	return ""
}

// fieldOf is the part of a slot that a kind of file holds.
func fieldOf(k layout.Kind) topology.Field {
	switch k {
	case layout.KindKey, layout.KindCAKey:
		return topology.FieldKey
	case layout.KindPublicKey:
		return topology.FieldPublic
	case layout.KindBundle:
		return topology.FieldBundle
	}
	return topology.FieldCert
}

func whatWords(w flow.What) string {
	switch w {
	case flow.Added:
		return "will be written; nothing is there"
	case flow.Same:
		return "is there with these very bytes, and is not touched"
	case flow.Overwrite:
		return "will be replaced; the old one is kept beside the new set"
	case flow.Remove:
		return "belongs to the old set alone, and is kept beside the new one"
	case flow.Takeover:
		return "is there and was not made by certwright; it will be replaced and kept beside the new set"
	case flow.Blocked:
		return "cannot be written: a directory or a link has its name"
	}
	return string(w)
}

func kindWords(k layout.Kind) string {
	switch k {
	case layout.KindCertificate:
		return "certificate and intermediates"
	case layout.KindCA:
		return "one CA certificate"
	case layout.KindBundle:
		return "a CA and all above it, for OpenSSL's tools"
	case layout.KindKey:
		return "private key"
	case layout.KindCAKey:
		return "private key of a CA"
	case layout.KindPublicKey:
		return "public key"
	case layout.KindKubeconfig:
		return "kubeconfig, with a private key in it"
	case layout.KindConfig:
		return "configuration"
	case layout.KindDocument:
		return "for people"
	}
	return string(k)
}

// dirWords is what the directories of the destination are for.
func dirWords(dir string) string {
	switch dir {
	case "tls":
		return "the set as files, under the names that the components look for"
	case "ca":
		return "CAs made here, keys too: not to be deployed"
	case "flags":
		return "the parameters that name these files, program by program"
	case "kubeconfig":
		return "kubeconfigs, each with the key of its user"
	case "manifests":
		return "the same files as Kubernetes Secrets"
	case "terraform":
		return "modules with the same outputs in every mode"
	}
	return ""
}
