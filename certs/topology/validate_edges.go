package topology

import (
	"fmt"
	"slices"
)

func (v *validator) edges() {
	seen := map[string]bool{}
	for i, e := range v.p.Edges {
		path := fmt.Sprintf("edges[%d]", i)
		if !idPattern.MatchString(e.ID) {
			v.bad(path+".id", "must be lower-case letters, digits, dots and dashes, not %q", e.ID)
		} else if seen[e.ID] {
			v.bad(path+".id", "edge %q is defined twice", e.ID)
		}
		seen[e.ID] = true
		if e.Client.Slot != "" {
			v.end(path+".client.slot", e.Client.Slot, ClientAuth)
		}
		v.end(path+".server.slot", e.Server.Slot, ServerAuth)
		if e.ServerCA != "" && !v.hasAuthority(e.ServerCA) {
			v.bad(path+".serverCA", "unknown authority %q", e.ServerCA)
		}
		if e.ClientCA != "" && !v.hasAuthority(e.ClientCA) {
			v.bad(path+".clientCA", "unknown authority %q", e.ClientCA)
		}
		if e.ClientCA != "" && e.Client.Slot == "" {
			v.bad(path+".client.slot", "is needed: the server asks for a client certificate")
		}
		if !slices.Contains([]Identity{IdentityNone, IdentityKubernetes, IdentityPeer, IdentityTypha, IdentityFrontProxy, IdentityName}, e.Identity) {
			v.bad(path+".identity", "must be kubernetes, etcd-peer, typha, front-proxy, name or left out, not %q", e.Identity)
		}
		if e.Identity == IdentityName && len(e.From) == 0 {
			v.bad(path+".from", "is empty: with identity name the server wants one of these names in the client's certificate")
		}
		v.names(path+".dials", e.Dials)
		v.names(path+".from", e.From)
		v.when(path+".when", e.When)
	}
}

// end checks that a slot can stand at an end of a connection.
func (v *validator) end(path string, id SlotID, role Usage) {
	if s := v.slot(id); s == nil {
		v.bad(path, "unknown slot %q", id)
	} else if !slices.Contains(s.Usages, role) {
		v.bad(path, "slot %q has no %s", id, role)
	}
}

func (v *validator) rest() {
	for i, k := range v.p.Kubeconfigs {
		path := fmt.Sprintf("kubeconfigs[%d]", i)
		v.end(path+".slot", k.Slot, ClientAuth)
		if !v.hasAuthority(k.CA) {
			v.bad(path+".ca", "unknown authority %q", k.CA)
		}
		if k.File == "" {
			v.bad(path+".file", "is empty")
		}
		v.file(path+".file", k.File, k.Slot)
		v.when(path+".when", k.When)
		for j, o := range k.Servers {
			at := fmt.Sprintf("%s.servers[%d]", path, j)
			v.when(at+".when", o.When)
			v.expr(at+".server", o.Server)
			if !slices.Contains(pers, o.Per) {
				v.bad(at+".per", "must be node, control-plane, worker or left out, not %q", o.Per)
			}
		}
		v.expr(path+".server", k.Server)
		v.expr(path+".cluster", k.Cluster)
	}
	v.layouts()
	for i, s := range v.p.NextSteps {
		v.step(fmt.Sprintf("nextSteps[%d]", i), s)
	}
}

func (v *validator) step(path string, s Step) {
	v.expr(path+".text", s.Text)
	v.when(path+".when", s.When)
	if s.Pin != "" && !v.hasAuthority(s.Pin) {
		v.bad(path+".pin", "unknown authority %q", s.Pin)
	}
	if s.For != "" && s.For != ControlPlane && s.For != Worker {
		v.bad(path+".for", "must be control-plane, worker or left out, not %q", s.For)
	}
	if s.Layout != "" && !slices.Contains(v.p.AllLayouts(), s.Layout) {
		v.bad(path+".layout", "layout %q is neither in layouts nor in offers", s.Layout)
	}
	if s.Each != "" {
		switch f := v.fact(s.Each); {
		case slices.Contains(nodeLists, s.Each) && v.p.HasNodes():
		case f == nil:
			v.bad(path+".each", "unknown fact %q", s.Each)
		case !f.Lists():
			v.bad(path+".each", "fact %q is of type %s, and one that lists several values is needed", s.Each, f.Type)
		}
	}
	v.each = s.Each != ""
	for j, r := range s.Run {
		v.expr(fmt.Sprintf("%s.run[%d]", path, j), r)
	}
	v.each = false
	uses := func(slot SlotSpec) bool {
		return slices.ContainsFunc(slot.Consumers, func(c Consumer) bool { return c.Component == s.Program })
	}
	if s.Program != "" && !slices.ContainsFunc(v.p.Slots, uses) {
		v.bad(path+".program", "no slot has a consumer %q", s.Program)
	}
}
