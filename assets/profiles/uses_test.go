package profiles_test

import (
	"slices"
	"strings"
	"testing"

	"certwright/assets/profiles"
	"certwright/certs/topology"
)

func load(t *testing.T, name string) *topology.Profile {
	t.Helper()
	p, err := profiles.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestUsesFollowsNamesConditionsAndDefaults(t *testing.T) {
	for _, c := range []struct {
		why, profile string
		slot         topology.SlotID
		has, hasNot  []string
	}{
		{"names and their defaults", "kubernetes", "kube/apiserver", []string{"cluster.name", "cluster.domain", "api.host", "node.name", "node.addresses", "service.cidr"}, []string{"kubernetes.version", "etcd.hosts"}},
		{"with a node's name", "kubernetes", "kube/apiserver@cp-0", []string{"node.addresses"}, nil},
		{"a fixed subject", "kubernetes", "front-proxy/client", nil, []string{"node.name", "node.addresses", "kubernetes.version"}},
		{"variants by version", "kubernetes", "kube/apiserver-kubelet-client", []string{"kubernetes.version"}, []string{"node.addresses"}},
		{"the component's authority", "kubernetes", "etcd/apiserver-client", []string{"authorities"}, []string{"node.addresses"}},
		{"a subject alone", "kubernetes", "kube/kubelet-client", []string{"node.name", "cluster.name"}, []string{"node.addresses"}},
		{"an unknown slot", "kubernetes", "kube/nothing", nil, []string{"node.name"}},
		{"hosts of etcd", "tectonic", "etcd/server", []string{"etcd.hosts", "cluster.name", "service.cidr"}, []string{"ingress.host"}},
	} {
		got := load(t, c.profile).Uses(c.slot)
		for _, f := range c.has {
			if !slices.Contains(got, f) {
				t.Errorf("%s: %s does not use %s: %v", c.why, c.slot, f, got)
			}
		}
		for _, f := range c.hasNot {
			if slices.Contains(got, f) {
				t.Errorf("%s: %s uses %s: %v", c.why, c.slot, f, got)
			}
		}
	}
}

// A slot that does not use a fact is the same whatever the fact's value.
func TestUsesIsNotTooLittle(t *testing.T) {
	p := load(t, "kubernetes")
	base := map[string]string{"node.name": "cp-0", "node.addresses": "10.0.0.10"}
	first, problems := topology.Resolve(p, base)
	if len(problems) > 0 {
		t.Fatal(problems[0])
	}
	for name, value := range map[string]string{
		"cluster.name": "x", "cluster.domain": "x.org", "kubernetes.version": "1.25", "api.host": "10.9.9.9", "apiserver.names": "x.org",
		"node.name": "other", "node.addresses": "10.0.0.99", "etcd.hosts": "10.1.1.1", "service.cidr": "10.5.0.0/16", "dns.domain": "x.local", "authorities": "one",
	} {
		given := map[string]string{}
		for k, v := range base {
			given[k] = v
		}
		given[name] = value
		second, problems := topology.Resolve(p, given)
		if len(problems) > 0 {
			t.Fatal(problems[0])
		}
		for i := range second.Slots {
			s := &second.Slots[i]
			old := first.Slot(s.ID)
			same := old != nil && old.Subject.String() == s.Subject.String() && slices.Equal(old.Names, s.Names) && old.Authority == s.Authority && old.Requires.CN == s.Requires.CN
			if !same && s.Kind == topology.Leaf && !slices.Contains(p.Uses(s.ID), name) {
				t.Errorf("%s changes with %s, and Uses does not say so", s.ID, name)
			}
		}
	}
}

func TestResolveAnyNodeLeavesTheNodeOut(t *testing.T) {
	p := load(t, "kubernetes")
	topo, unknown, problems := topology.ResolveAnyNode(p, nil)
	if len(problems) > 0 || !slices.Equal(unknown, []string{"node.name", "node.addresses"}) {
		t.Fatalf("unknown %v, problems %v", unknown, problems)
	}
	for _, s := range topo.Slots {
		for _, n := range s.Names {
			if strings.Contains(n.Value, "invalid") || strings.HasPrefix(n.Value, "2001:db8") {
				t.Errorf("%s has the stand-in %s", s.ID, n)
			}
		}
		if strings.Contains(s.Subject.String()+s.Requires.CN, "invalid") {
			t.Errorf("%s has the stand-in in its subject: %s", s.ID, s.Subject)
		}
	}
	if s := topo.Slot("kube/apiserver"); !slices.Contains(s.IssuedNames(topology.DNSName), "kubernetes.default.svc") {
		t.Errorf("names that are known are gone: %v", s.Names)
	}
	topo, unknown, _ = topology.ResolveAnyNode(p, map[string]string{"node.name": "cp-0"})
	if !slices.Equal(unknown, []string{"node.addresses"}) || !slices.Contains(topo.Slot("etcd/server").IssuedNames(topology.DNSName), "cp-0") {
		t.Errorf("the name that was given is not required: %v", unknown)
	}
	if _, unknown, _ := topology.ResolveAnyNode(load(t, "tectonic"), nil); len(unknown) > 0 {
		t.Errorf("tectonic has no nodes, and %v are unknown", unknown)
	}
}
