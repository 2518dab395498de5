package prove

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"

	"certwright/certs"
	"certwright/certs/topology"
)

// masters is the group that kube-apiserver binds to every right there is,
// before any other rule is asked.
const masters = "system:masters"

// door is a server that asks for client certificates, and whose it takes.
type door struct {
	server   topology.SlotID
	clientCA topology.AuthorityID
	identity topology.Identity
}

// doors lists the servers that ask for client certificates, once for each
// trust bundle that they verify them with, in the topology's order of edges.
func doors(t *topology.Topology) []door {
	type key struct {
		server   topology.SlotID
		clientCA topology.AuthorityID
	}
	var out []door
	at := map[key]int{}
	for _, e := range t.Edges {
		if e.ClientCA == "" {
			continue
		}
		k := key{e.Server.Slot, e.ClientCA}
		i, known := at[k]
		if !known {
			at[k] = len(out)
			out = append(out, door{e.Server.Slot, e.ClientCA, e.Identity})
		} else if e.Identity == topology.IdentityKubernetes {
			out[i].identity = e.Identity // who reads the user from one client reads it from all
		}
	}
	return out
}

// Reach says, for each key of the set that a client can use and each server
// that asks for client certificates, whether the holder of the key gets in,
// asked for by an edge or not. What the server's verification accepts is open;
// whether the holder can reach its port is another matter.
func Reach(ctx context.Context, in Input) ([]Opening, error) {
	b, err := newBench(in)
	if err != nil {
		return nil, err
	}
	return b.reach(ctx, in, newChains())
}

func (b *bench) reach(ctx context.Context, in Input, known *chains) ([]Opening, error) {
	t := in.Set.Topology
	stands := standIns(t)
	all := slices.DeleteFunc(doors(t), func(d door) bool { return !stands(d.server) })
	type call struct {
		client, server topology.SlotID
		clientCA       topology.AuthorityID
	}
	asked := map[call]bool{}
	for _, e := range t.Edges {
		asked[call{e.Client.Slot, e.Server.Slot, e.ClientCA}] = true
	}
	var clients []topology.SlotID
	for i := range t.Slots {
		if s := &t.Slots[i]; stands(s.ID) && usable(b.slot(s.ID).leaf()) {
			clients = append(clients, s.ID)
		}
	}
	out := make([]Opening, len(clients)*len(all))
	err := each(ctx, in.Workers, len(clients), func(_ context.Context, i int) {
		knock := b.knocker(clients[i], known)
		for j, d := range all {
			o := knock(d)
			o.Allowed = asked[call{o.Client, o.Server, o.Trust}]
			out[i*len(all)+j] = o
		}
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Of more nodes than maxNodes the first, the one in the middle and the last
// stand for all: the profile makes their certificates alike.
const maxNodes = 8

// standIns says of a slot whether it is tried: the cluster's own are, and of
// those that there is one of for each node, those of the nodes that stand for all.
func standIns(t *topology.Topology) func(topology.SlotID) bool {
	if len(t.Nodes) <= maxNodes {
		return func(topology.SlotID) bool { return true }
	}
	chosen := topology.StandIns(t.Nodes)
	chosen[""] = true
	return func(id topology.SlotID) bool { return chosen[id.Node()] }
}

// Sample is how many connections Edges and Reach tried of a cluster, and of how
// many; all says that they tried each.
func Sample(t *topology.Topology) (tried, of int, all bool) {
	seen := map[string]bool{}
	for _, e := range t.Edges {
		tried++
		if !seen[e.Base] {
			seen[e.Base] = true
			of += max(1, e.Pairs)
		}
	}
	return tried, max(tried, of), tried >= of && len(t.Nodes) <= maxNodes
}

// Sampled says in words what Sample and Made say of a proof, "" when everything was tried.
func Sampled(t *topology.Topology, hs []Handshake) string {
	tried, of, all := Sample(t)
	if all {
		return ""
	}
	words := fmt.Sprintf("%d of %d connections between %d nodes were tried, evenly spread", tried, of, len(t.Nodes))
	if Made(hs) < len(hs) {
		words += "; each kind by a handshake, and of those like it the chains, names, keys and users one by one"
	}
	return words
}

// Beyond are the openings that no edge asks for.
func Beyond(os []Opening) []Opening {
	var out []Opening
	for _, o := range os {
		if o.Open && !o.Allowed {
			out = append(out, o)
		}
	}
	return out
}

// usable says whether a client may present the certificate at all.
func usable(c *x509.Certificate) bool {
	if c == nil {
		return false
	}
	return len(c.ExtKeyUsage) == 0 && len(c.UnknownExtKeyUsage) == 0 ||
		slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageClientAuth) || slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageAny)
}

// knocker tries one client at doors. Each trust bundle is asked once, and not
// where a handshake has been let in.
func (b *bench) knocker(client topology.SlotID, chains *chains) func(door) Opening {
	known := map[topology.AuthorityID]error{}
	return func(d door) Opening {
		err, tried := known[d.clientCA]
		if !tried && !chains.lead(question{client, d.clientCA, x509.ExtKeyUsageClientAuth}) {
			err = b.accepts(question{client, d.clientCA, x509.ExtKeyUsageClientAuth}, b)
			known[d.clientCA] = err
		}
		o := Opening{Client: client, Server: d.server, Trust: d.clientCA}
		if err != nil {
			o.Error = message(err)
			return o
		}
		if d.identity == topology.IdentityKubernetes {
			user, groups, err := kubernetesUser(b.slot(client).leaf())
			if err != nil {
				o.Error = message(err)
				return o
			}
			o.As = as(user, groups)
		}
		o.Open = true
		return o
	}
}

// accepts is what one side does in its handshake with the certificates that the other
// shows (crypto/tls, processCertsFromClient and verifyServerCertificate), the
// host's name apart; a test holds it against real handshakes. etcd's check of the
// peer's address is left out: a thief connects from where the key was, or
// sends a certificate without names.
func (b *bench) accepts(q question, shows *bench) error {
	roots := b.pools[q.trust]
	if roots == nil {
		return fmt.Errorf("the server trusts nobody: there is no certificate of the authority %s", q.trust)
	}
	opts := x509.VerifyOptions{
		Roots: roots, Intermediates: x509.NewCertPool(), CurrentTime: b.now,
		KeyUsages: []x509.ExtKeyUsage{q.usage},
	}
	for _, c := range shows.set.Pairs[q.shown].Certificates[1:] {
		opts.Intermediates.AddCert(c)
	}
	_, err := shows.slot(q.shown).leaf().Verify(opts)
	return err
}

// as says who a client is to the API server.
func as(user string, groups []string) string {
	switch {
	case slices.Contains(groups, masters):
		return fmt.Sprintf("%s in %s: every right in the cluster, and no rule can take it away", user, masters)
	case len(groups) > 0:
		return user + " in " + strings.Join(groups, ", ")
	}
	return user
}

// CAOpening is what the holder of one CA's key can do: make himself any
// certificate that those believe who trust the CA.
type CAOpening struct {
	Slot topology.SlotID `json:"slot,omitempty"` // the CA's slot; "" for the root
	// Above says that it is the brought CA above the one in Slot.
	Above bool `json:"above,omitempty"`
	// Key says that the key is in the set, so that it can be stolen from here.
	Key     bool              `json:"key"`
	Servers []topology.SlotID `json:"servers,omitempty"` // open to a client certificate of its making
	Clients []string          `json:"clients,omitempty"` // the edges whose client believes a server certificate of its making
	As      string            `json:"as,omitempty"`      // who its holder can be to the API server
}

// CAReach lists, for each CA of the set (the root first, when there is one),
// what its key opens. Verifiers trust the certificate in their ca.crt and not
// what stands above it, so that the root opens nothing by itself: its holder
// must get a new CA into a ca.crt first.
func CAReach(in Input) []CAOpening {
	b, err := newBench(in)
	if err != nil {
		return nil
	}
	var out []CAOpening
	if in.Set.Root != nil {
		out = append(out, b.caOpening(CAOpening{}, in.Set.Root))
	}
	for _, a := range in.Set.Topology.Authorities {
		if above := in.Set.Above[a.ID]; above != nil {
			out = append(out, b.caOpening(CAOpening{Slot: a.Slot, Above: true}, above))
		}
		if pair := in.Set.Pairs[a.Slot]; pair.Leaf() != nil {
			out = append(out, b.caOpening(CAOpening{Slot: a.Slot}, pair))
		}
	}
	return out
}

func (b *bench) caOpening(o CAOpening, ca *certs.Pair) CAOpening {
	o.Key = ca.Key != nil
	t := b.set.Topology
	type question struct {
		authority topology.AuthorityID
		usage     x509.ExtKeyUsage
	}
	known := map[question]bool{}
	under := func(a topology.AuthorityID, usage x509.ExtKeyUsage) bool {
		q := question{a, usage}
		answer, asked := known[q]
		if !asked {
			answer = b.under(ca, a, usage)
			known[q] = answer
		}
		return answer
	}
	seen := map[topology.SlotID]bool{}
	for _, d := range doors(t) {
		if !under(d.clientCA, x509.ExtKeyUsageClientAuth) {
			continue
		}
		if !seen[d.server] {
			seen[d.server] = true
			o.Servers = append(o.Servers, d.server)
		}
		if d.identity == topology.IdentityKubernetes {
			o.As = "any user in any group, " + masters + " included"
		}
	}
	for _, e := range t.Edges {
		if e.ServerCA != "" && under(e.ServerCA, x509.ExtKeyUsageServerAuth) {
			o.Clients = append(o.Clients, e.ID)
		}
	}
	return o
}

// under says whether a leaf that the CA signs verifies against an authority's
// ca.crt for a usage.
func (b *bench) under(ca *certs.Pair, a topology.AuthorityID, usage x509.ExtKeyUsage) bool {
	c := ca.Leaf()
	if c == nil {
		return false
	}
	return slices.ContainsFunc(b.set.Anchors(a), func(anchor *x509.Certificate) bool { return b.reaches(ca, anchor, usage) })
}

func (b *bench) reaches(ca *certs.Pair, anchor *x509.Certificate, usage x509.ExtKeyUsage) bool {
	c := ca.Leaf()
	if !c.IsCA || c.KeyUsage != 0 && c.KeyUsage&x509.KeyUsageCertSign == 0 {
		return false
	}
	if bytes.Equal(c.RawSubject, anchor.RawSubject) && bytes.Equal(c.RawSubjectPublicKeyInfo, anchor.RawSubjectPublicKeyInfo) {
		c = anchor // perhaps cross-signed: the same name and key are the same signer
	}
	opts := x509.VerifyOptions{
		Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), CurrentTime: b.now,
		KeyUsages: []x509.ExtKeyUsage{usage},
	}
	opts.Roots.AddCert(anchor)
	for _, above := range ca.Certificates[1:] {
		opts.Intermediates.AddCert(above)
	}
	chains, err := c.Verify(opts)
	if err != nil {
		return false
	}
	// Verify has taken the CA for the end of the chain: one more is below it.
	return slices.ContainsFunc(chains, func(chain []*x509.Certificate) bool {
		for below, c := range chain {
			if limited := c.MaxPathLen > 0 || c.MaxPathLen == 0 && c.MaxPathLenZero; limited && c.MaxPathLen < below {
				return false
			}
		}
		return true
	})
}
