package topology

import "slices"

// outputs fills in what the layouts are made of beside the slots. A part whose
// slot is not there under the conditions that hold is not there either.
func (r *resolver) outputs() {
	p, t := r.t.Profile, r.t
	for _, s := range p.Settings {
		if !r.met(s.When) {
			continue
		}
		if s.Value = r.one(s.Value); s.Value != "" {
			t.Settings = append(t.Settings, s)
		}
	}
	for _, s := range p.Secrets {
		if r.met(s.When) {
			t.Secrets = append(t.Secrets, r.secret(s))
		}
	}
	for _, a := range p.APIServices {
		if r.met(a.When) && t.Slot(a.Slot) != nil {
			t.APIServices = append(t.APIServices, a)
		}
	}
	for _, e := range p.Exports {
		if r.met(e.When) && t.Slot(e.Slot) != nil {
			t.Exports = append(t.Exports, e)
		}
	}
	for _, s := range p.NextSteps {
		if r.met(s.When) && r.further(s.For) {
			t.NextSteps = append(t.NextSteps, r.step(s))
		}
	}
}

// further says whether there is a node of the role beside the first control plane.
func (r *resolver) further(role Role) bool {
	n := 0
	for _, node := range r.nodes {
		if node.Role == role {
			n++
		}
	}
	return role == "" || role == Worker && n > 0 || n > 1
}

func (r *resolver) secret(s Secret) Secret {
	s.Name, s.Namespace = r.one(s.Name), r.one(s.Namespace)
	if s.Kind == "" {
		s.Kind = KindSecret
	}
	if s.Type == "" && s.Kind == KindSecret {
		s.Type = "Opaque"
	}
	data := slices.Clone(s.Data)
	s.Data = nil
	for _, d := range data {
		if !r.met(d.When) {
			continue
		}
		if d.Slot == "" {
			if d.Value = r.one(d.Value); d.Value != "" {
				s.Data = append(s.Data, d)
			}
			continue
		}
		if d.Field == "" {
			d.Field = FieldCert
		}
		if r.t.Slot(d.Slot) != nil {
			s.Data = append(s.Data, d)
		}
	}
	return s
}
