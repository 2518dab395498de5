package renew

import (
	"slices"
	"sort"

	"certwright/certs/topology"
)

// Restart is one program that reads renewed files.
type Restart struct {
	Program string            `json:"program"`
	Slots   []topology.SlotID `json:"slots"`
	Hosts   []string          `json:"hosts,omitempty"` // where the profile knows them
	// OneByOne says that its members talk to one another: wait after each until
	// it is healthy.
	OneByOne bool `json:"oneByOne,omitempty"`
	// Secrets must be applied again before it restarts.
	Secrets []string `json:"secrets,omitempty"`
	// Tool says that nothing of it runs: people and scripts take the new file.
	Tool bool `json:"tool,omitempty"`
}

// tools are programs that run for the length of a command.
var tools = []string{"kubectl", "etcdctl", "kubeadm", "calicoctl"}

// Restarts lists the programs that read files of the slots, those first that
// others dial: etcd, then API servers, then what talks to them.
func Restarts(t *topology.Topology, slots []topology.SlotID) []Restart {
	var out []Restart
	for i := range t.Slots {
		s := &t.Slots[i]
		if !slices.Contains(slots, s.ID) {
			continue
		}
		for _, c := range s.Consumers {
			n := slices.IndexFunc(out, func(r Restart) bool { return r.Program == c.Component })
			if n < 0 {
				n = len(out)
				out = append(out, Restart{Program: c.Component, Tool: slices.Contains(tools, c.Component), OneByOne: peers(t, c.Component), Hosts: hosts(t, c.Component)})
			}
			r := &out[n]
			r.Slots = add(r.Slots, s.ID)
			if s.Node != "" {
				r.Hosts = add(r.Hosts, s.Node)
			}
			if c.As == topology.AsSecret && c.Secret != "" {
				r.Secrets = add(r.Secrets, c.Secret)
			}
		}
	}
	return inOrder(t, out)
}

func add[T comparable](list []T, x T) []T {
	if slices.Contains(list, x) {
		return list
	}
	return append(list, x)
}

// hosts are those that the profile's next steps start a program on.
func hosts(t *topology.Topology, program string) []string {
	var out []string
	for _, s := range t.NextSteps {
		if s.Program == program {
			for _, h := range s.Hosts {
				out = add(out, h.Host)
			}
		}
	}
	return out
}

// programs are those that read a slot.
func programs(t *topology.Topology, id topology.SlotID) []string {
	var out []string
	for i := range t.Slots {
		if s := &t.Slots[i]; s.ID == id || s.ID.Base() == id {
			for _, c := range s.Consumers {
				out = add(out, c.Component)
			}
		}
	}
	return out
}

// peers says whether a program dials itself on other machines.
func peers(t *topology.Topology, program string) bool {
	known := map[topology.SlotID]bool{} // an edge for each pair of nodes has the same programs
	for _, e := range t.Edges {
		if base := e.Server.Slot.Base(); e.Identity == topology.IdentityPeer && !known[base] {
			if known[base] = true; slices.Contains(programs(t, base), program) {
				return true
			}
		}
	}
	return false
}

// usual is the order in which the programs of a control plane are restarted,
// where a profile's next steps do not name them.
var usual = []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy"}

// inOrder puts what is dialled before what dials; where that leaves a choice the
// order of the profile's next steps counts. Tools come last.
func inOrder(t *topology.Topology, list []Restart) []Restart {
	order := []string{}
	for _, s := range t.NextSteps {
		if s.Program != "" {
			order = add(order, s.Program)
		}
	}
	for _, p := range usual {
		order = add(order, p)
	}
	place := func(r Restart) int {
		n := slices.Index(order, r.Program)
		if n < 0 {
			n = len(order)
		}
		if r.Tool {
			n += len(order) + 1
		}
		return n
	}
	sort.SliceStable(list, func(i, j int) bool { return place(list[i]) < place(list[j]) })
	needs := dials(t)
	var out []Restart
	for len(list) > 0 {
		waits := func(r Restart) bool {
			return slices.ContainsFunc(list, func(o Restart) bool { return o.Program != r.Program && leads(needs, r.Program, o.Program) })
		}
		n := max(0, slices.IndexFunc(list, func(r Restart) bool { return !waits(r) }))
		out = append(out, list[n])
		list = slices.Delete(list, n, n+1)
	}
	return out
}

// leads says whether one program dials another, itself or through others.
func leads(needs map[string][]string, from, to string) bool {
	return from == to || slices.ContainsFunc(needs[from], func(n string) bool { return leads(needs, n, to) })
}

// dials says which programs a program dials. Of two that dial each other the
// edge that the profile names first counts, so that there is no circle.
func dials(t *topology.Topology) map[string][]string {
	needs, memo := map[string][]string{}, map[topology.SlotID][]string{}
	of := func(id topology.SlotID) []string {
		base := id.Base()
		if _, ok := memo[base]; !ok {
			memo[base] = programs(t, base)
		}
		return memo[base]
	}
	for _, e := range t.Edges {
		for _, client := range of(e.Client.Slot) {
			for _, server := range of(e.Server.Slot) {
				if client != server && !leads(needs, server, client) {
					needs[client] = add(needs[client], server)
				}
			}
		}
	}
	return needs
}
