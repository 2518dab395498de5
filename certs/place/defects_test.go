package place_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net"
	"net/url"
	"slices"
	"testing"
	"time"

	"certwright/certs"
	"certwright/certs/material"
	"certwright/certs/place"
	"certwright/certs/topology"
)

// defects are single faults of one certificate, one for each kind that package
// check names. change spoils the template.
var defects = []struct {
	name   string
	change func(c *x509.Certificate)
	skip   func(s *topology.Slot) bool // slots that this is no fault of
}{
	{"expired", func(c *x509.Certificate) { c.NotBefore, c.NotAfter = now.AddDate(-2, 0, 0), now.AddDate(-1, 0, 0) }, nil},
	{"not yet valid", func(c *x509.Certificate) { c.NotBefore, c.NotAfter = now.AddDate(1, 0, 0), now.AddDate(2, 0, 0) }, nil},
	{"other names", func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = []string{"www.example.org", "example.org"}, nil }, nameless},
	{"a required name less", func(c *x509.Certificate) {
		if len(c.DNSNames) > 0 {
			c.DNSNames = c.DNSNames[1:]
		} else {
			c.IPAddresses = c.IPAddresses[1:]
		}
	}, nameless},
	{"names in the common name alone", func(c *x509.Certificate) {
		if len(c.DNSNames) > 0 {
			c.Subject.CommonName = c.DNSNames[0]
		}
		c.DNSNames, c.IPAddresses = nil, nil
	}, nameless},
	{"names with a port", func(c *x509.Certificate) {
		for i := range c.DNSNames {
			c.DNSNames[i] += ":443"
		}
	}, nameless},
	{"another common name", func(c *x509.Certificate) { c.Subject.CommonName = "somebody" }, nil},
	{"no organization", func(c *x509.Certificate) { c.Subject.Organization = nil }, nil},
	{"another organization", func(c *x509.Certificate) { c.Subject.Organization = []string{"acme"} }, nil},
	{"the organization in OU", func(c *x509.Certificate) {
		c.Subject.OrganizationalUnit, c.Subject.Organization = c.Subject.Organization, nil
	}, nil},
	{"no usages", func(c *x509.Certificate) { c.ExtKeyUsage = nil }, nil},
	{"server auth alone", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }, nil},
	{"client auth alone", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }, nil},
	{"any usage", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} }, nil},
	{"a CA", func(c *x509.Certificate) { c.IsCA, c.KeyUsage = true, c.KeyUsage|x509.KeyUsageCertSign }, nil},
	{"key usage for signing certificates", func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCertSign }, nil},
}

func nameless(s *topology.Slot) bool { return len(s.Names) == 0 }

// replaced is a set's pile in which one slot's certificate is another one.
func replaced(t *testing.T, w *world, id topology.SlotID, c *x509.Certificate, key []byte, without ...topology.SlotID) []item {
	t.Helper()
	items := w.items(t)
	p := w.pair(t, id)
	if key == nil {
		key = keyPEM(t, p.Key)
	}
	chain := append([]*x509.Certificate{c}, p.Certificates[1:]...)
	for i := range items {
		if items[i].slot != id {
			continue
		}
		switch {
		case items[i].part == "":
			items[i].data = kubeconfig("u", material.EncodeCertificates(chain...), key, material.EncodeCertificates(w.set.Anchor(w.topo.Slot(id).Authority)))
		case items[i].part == place.Cert && w.topo.Slot(id).Kind == topology.CA:
			items[i].data = material.EncodeCertificates(c)
		case items[i].part == place.Cert:
			items[i].data = material.EncodeCertificates(chain...)
		default:
			items[i].data = key
		}
	}
	return slices.DeleteFunc(items, func(it item) bool { return slices.Contains(without, it.slot) })
}

// sorted holds a pile, under random names, against where each of its files belongs.
func sorted(t *testing.T, w *world, what string, items []item) {
	t.Helper()
	t.Run(what, func(t *testing.T) {
		files, names := pile(items, 3)
		r := place.Sort(pointers(w.topo), files)
		expect(t, w, r, names)
		whole(t, r, files)
	})
}

func TestAFaultyCertificateIsStillInItsSlot(t *testing.T) {
	for _, w := range worlds(t) {
		key := newKey(t)
		for i := range w.topo.Slots {
			slot := &w.topo.Slots[i]
			if slot.Kind != topology.Leaf || slot.Node != "" && slot.Node != "cp-0" && slot.Node != "worker-0" {
				continue
			}
			ca := w.pair(t, w.topo.CASlot(slot.Authority).ID)
			good := w.pair(t, slot.ID)
			for _, d := range defects {
				if d.skip != nil && d.skip(slot) {
					continue
				}
				template := again(good.Leaf())
				d.change(template)
				c := sign(t, template, ca, good.Key)
				sorted(t, w, w.name+"/"+string(slot.ID)+"/"+d.name, replaced(t, w, slot.ID, c, nil))
			}
			foreign := &certs.Pair{Key: key, Certificates: []*x509.Certificate{sign(t, caTemplate("Other CA"), nil, key)}}
			namesake := caTemplate("")
			namesake.Subject, namesake.RawSubject = ca.Leaf().Subject, ca.Leaf().RawSubject
			same := &certs.Pair{Key: key, Certificates: []*x509.Certificate{sign(t, namesake, nil, key)}}
			for name, by := range map[string]*certs.Pair{"another CA": foreign, "another CA of the name": same, "itself": nil} {
				c := sign(t, again(good.Leaf()), by, good.Key)
				sorted(t, w, w.name+"/"+string(slot.ID)+"/signed by "+name, replaced(t, w, slot.ID, c, nil))
			}
			for _, a := range w.topo.Authorities {
				if a.ID != slot.Authority {
					c := sign(t, again(good.Leaf()), w.pair(t, a.Slot), good.Key)
					sorted(t, w, w.name+"/"+string(slot.ID)+"/signed by the CA of "+string(a.ID), replaced(t, w, slot.ID, c, nil))
				}
			}
			sorted(t, w, w.name+"/"+string(slot.ID)+"/another key", replaced(t, w, slot.ID, good.Leaf(), keyPEM(t, key)))
		}
	}
}

func caTemplate(cn string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: newSerial(), Subject: pkix.Name{CommonName: cn}, NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(5, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
}

// A CA with a fault is still the CA of its authority.
func TestAFaultyCAIsStillInItsSlot(t *testing.T) {
	for _, w := range worlds(t) {
		for _, a := range w.topo.Authorities {
			good := w.pair(t, a.Slot)
			for _, d := range []struct {
				name   string
				change func(c *x509.Certificate)
			}{
				{"expired", func(c *x509.Certificate) { c.NotBefore, c.NotAfter = now.AddDate(-2, 0, 0), now.AddDate(-1, 0, 0) }},
				{"no CA", func(c *x509.Certificate) { c.IsCA, c.KeyUsage, c.MaxPathLenZero, c.MaxPathLen = false, 0, false, 0 }},
				{"no basic constraints", func(c *x509.Certificate) {
					c.BasicConstraintsValid, c.IsCA, c.KeyUsage, c.MaxPathLenZero, c.MaxPathLen = false, false, 0, false, 0
				}},
				{"no cert sign", func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign }},
				{"server auth alone", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }},
				{"name constraints", func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"example.org"} }},
			} {
				template := again(good.Leaf())
				template.SubjectKeyId = good.Leaf().SubjectKeyId
				d.change(template)
				sorted(t, w, w.name+"/"+string(a.Slot)+"/"+d.name, replaced(t, w, a.Slot, sign(t, template, nil, good.Key), nil))
			}
			// Made anew, of the same name: nothing under it is its own.
			key := newKey(t)
			sorted(t, w, w.name+"/"+string(a.Slot)+"/made anew", replaced(t, w, a.Slot, sign(t, again(good.Leaf()), nil, key), keyPEM(t, key)))
		}
	}
}

// Certificates that have what components require, and nothing that we would
// have put in: other CAs' names, other subjects, no spare name.
func TestBareCertificatesFindTheirSlots(t *testing.T) {
	for _, w := range worlds(t) {
		if w.name == "nats with all" {
			continue // routes and gateways want the same of a certificate, so that its name alone tells them apart
		}
		cas := map[topology.AuthorityID]*certs.Pair{}
		for i, a := range w.topo.Authorities {
			key := newKey(t)
			cas[a.ID] = &certs.Pair{Key: key, Certificates: []*x509.Certificate{sign(t, caTemplate([]string{"Berlin", "Tokyo", "Quito", "Accra", "Oslo"}[i]), nil, key)}}
		}
		var items []item
		for i := range w.topo.Slots {
			slot := &w.topo.Slots[i]
			switch {
			case slot.Kind == topology.KeyPair:
				continue
			case slot.Kind == topology.CA:
				items = append(items, item{data: material.EncodeCertificates(cas[slot.Authority].Leaf()), slot: slot.ID, part: place.Cert})
				continue
			}
			key := newKey(t)
			items = append(items,
				item{data: material.EncodeCertificates(sign(t, bare(slot), cas[slot.Authority], key)), slot: slot.ID, part: place.Cert},
				item{data: keyPEM(t, key), slot: slot.ID, part: place.Key})
		}
		t.Run(w.name, func(t *testing.T) {
			files, names := pile(items, 5)
			r := place.Sort(pointers(w.topo), files)
			for name, it := range names { // alike in all that is required: either will do
				for _, p := range r.Placed {
					if a, b := w.topo.Slot(p.Slot), w.topo.Slot(it.slot); p.File == name && a.ID != b.ID && a.Kind == topology.Leaf && bareText(a) == bareText(b) {
						delete(names, name)
					}
				}
			}
			expect(t, w, r, names)
			if len(r.Unplaced) > 0 {
				t.Errorf("unplaced: %+v", r.Unplaced)
			}
		})
	}
}

func bare(slot *topology.Slot) *x509.Certificate {
	c := &x509.Certificate{
		SerialNumber: newSerial(), NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true, Subject: pkix.Name{CommonName: slot.Requires.CN},
	}
	for _, u := range slot.Requires.Usages {
		c.ExtKeyUsage = append(c.ExtKeyUsage, map[topology.Usage]x509.ExtKeyUsage{topology.ServerAuth: x509.ExtKeyUsageServerAuth, topology.ClientAuth: x509.ExtKeyUsageClientAuth}[u])
	}
	for _, n := range slot.RequiredNames() {
		if n.Kind == topology.IPAddress {
			c.IPAddresses = append(c.IPAddresses, net.ParseIP(n.Value))
		} else {
			c.DNSNames = append(c.DNSNames, n.Value)
		}
	}
	if u, err := url.Parse(slot.Requires.URI); err == nil && slot.Requires.URI != "" {
		c.URIs = []*url.URL{u}
	}
	if len(slot.Requires.Groups) > 0 {
		c.Subject.Organization = slot.Requires.Groups[0]
	}
	if c.Subject.CommonName == "" {
		c.Subject.CommonName = "x"
	}
	return c
}

// bareText is what a bare certificate of the slot says.
func bareText(slot *topology.Slot) string {
	c := bare(slot)
	return fmt.Sprint(slot.Authority, c.Subject, c.DNSNames, c.IPAddresses, c.URIs, c.ExtKeyUsage)
}
