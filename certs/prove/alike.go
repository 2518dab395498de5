package prove

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"slices"

	"certwright/certs/topology"
)

// Of many nodes one connection of each kind is made, of one kind the first, of the
// next one in the middle, then the last, in turns under a name and under an
// address. The others of a kind differ from it in what can be looked at one by
// one: that each side's certificates lead where the other trusts, that the
// server's are for the name that is dialled, that each side's key is its
// certificate's, and who the server takes the client for. Where one of these does
// not hold, or the handshake of the kind failed, the connection gets a handshake
// of its own, and crypto/tls says why.

// kind is what a handshake comes to depend on beside that.
type kind struct {
	edge               string // the profile's
	serverCA, clientCA topology.AuthorityID
	version            uint16
	named              bool // whether a name or an address is dialled
	server, client     shape
}

// shape is a digest of what a slot's certificates are apart from whose they
// are: of which algorithms, for which uses, of about which size, and under which
// CAs. It is zero where nothing is shown.
type shape [sha256.Size]byte

func shapeOf(c *tls.Certificate) shape {
	leaf := c.Leaf
	d := sha256.New()
	fmt.Fprintln(d, key(leaf), leaf.SignatureAlgorithm, leaf.Version, len(leaf.Raw)/4096,
		leaf.KeyUsage, leaf.ExtKeyUsage, leaf.UnknownExtKeyUsage, leaf.BasicConstraintsValid, leaf.IsCA)
	for _, e := range leaf.Extensions {
		fmt.Fprintln(d, e.Id, e.Critical)
	}
	for _, above := range c.Certificate[1:] {
		fmt.Fprintln(d, len(above))
		d.Write(above)
	}
	return shape(d.Sum(nil))
}

// kind of a connection; false where one side has nothing that it could show.
func (p between) kind(j job) (kind, bool) {
	e := j.edge
	k := kind{edge: e.Base, serverCA: e.ServerCA, clientCA: e.ClientCA, version: j.version, named: j.name.Value != ""}
	if k.edge == "" {
		k.edge = e.ID
	}
	server, client := p.server.slot(e.Server.Slot), p.client.slot(e.Client.Slot)
	k.server = server.shape
	if e.ClientCA != "" {
		k.client = client.shape
	}
	return k, server.cert != nil && (e.ClientCA == "" || client.cert != nil)
}

// speakers finds for each job the one whose handshake speaks for it: itself
// where it gets its own.
func (p between) speakers(ctx context.Context, workers int, jobs []job) ([]int, error) {
	out := make([]int, len(jobs))
	for i := range jobs {
		out[i] = i
	}
	if len(p.client.set.Topology.Nodes) <= maxNodes {
		return out, nil
	}
	of := make([]*kind, len(jobs))
	err := each(ctx, workers, len(jobs), func(_ context.Context, i int) {
		if k, ok := p.kind(jobs[i]); ok {
			of[i] = &k
		}
	})
	if err != nil {
		return nil, err
	}
	var order []kind
	members := map[kind][]int{}
	for i, k := range of {
		if k == nil {
			continue
		}
		if members[*k] == nil {
			order = append(order, *k)
		}
		members[*k] = append(members[*k], i)
	}
	for n, k := range order {
		all := members[k]
		// The kinds of an edge follow each other, a TLS version each.
		address := func(i int) bool { return net.ParseIP(jobs[i].name.Value) != nil }
		which := slices.DeleteFunc(slices.Clone(all), func(i int) bool { return address(i) == (n%2 == 0) })
		if len(which) == 0 {
			which = all
		}
		for _, i := range all {
			out[i] = which[(len(which)-1)*(n%3)/2]
		}
	}
	return out, nil
}

// like is a connection that others speak for, once what sets it apart is looked
// at; false when something of that does not hold.
func (p between) like(j job, other Handshake) (Handshake, bool) {
	h, e := started(j), j.edge
	h.Alike = other.Edge
	if e.ServerCA != "" {
		shown := p.server.slot(e.Server.Slot).leaf()
		if !p.leads(ofServer(e), p.client, p.server) || h.Name != "" && shown.VerifyHostname(h.Name) != nil {
			return h, false
		}
	}
	var seen tls.ConnectionState
	if e.ClientCA != "" {
		if !p.leads(ofClient(e), p.server, p.client) {
			return h, false
		}
		seen.PeerCertificates = []*x509.Certificate{p.client.slot(e.Client.Slot).leaf()}
	}
	if (explainer{between: p, h: &h, edge: e}).identity(&seen) != nil {
		return h, false
	}
	h.OK = true
	return h, true
}

// leads says whether one side's certificates lead to what the other trusts.
func (p between) leads(q question, verifier, shows *bench) bool {
	if p.chains.lead(q) {
		return true
	}
	if verifier.accepts(q, shows) != nil {
		return false
	}
	p.chains.learn(q)
	return true
}

// Made is how many of the connections a handshake was made for; the others are like
// one of those.
func Made(hs []Handshake) int {
	return len(pick(hs, func(h Handshake) bool { return h.Alike == "" }))
}
