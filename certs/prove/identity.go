package prove

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"certwright/certs/topology"
	"certwright/certs/untrusted"
)

// identity applies what the server does with the client's certificate behind
// the chain. Its error is told already.
func (x explainer) identity(seen *tls.ConnectionState) error {
	if len(seen.PeerCertificates) == 0 {
		return nil
	}
	client := seen.PeerCertificates[0]
	opening := fmt.Sprintf("%s refuses %s", end(x.edge.Server), end(x.edge.Client))
	switch x.edge.Identity {
	case topology.IdentityKubernetes:
		user, groups, err := kubernetesUser(client)
		if err != nil {
			x.h.Error = message(err)
			x.set(x.edge.Client.Slot, opening, fault{
				what: "the certificate names no user", has: "no common name", needs: "the user in CN, and a group in each O",
				fix: fmt.Sprintf("issue %s again with a common name", x.edge.Client.Slot),
			})
			return err
		}
		x.h.User, x.h.Groups = user, groups
	case topology.IdentityPeer:
		for _, host := range x.from() {
			if err := peerAddress(client, host); err != nil {
				x.h.Error = message(err)
				f := nameFault(x.edge.Client.Slot, client, host)
				f.what = fmt.Sprintf("a member that connects from %s is not among the names of its certificate", host)
				x.set(x.edge.Client.Slot, opening, f)
				return err
			}
		}
	case topology.IdentityTypha:
		return x.typha(client)
	case topology.IdentityFrontProxy:
		return x.frontProxy(client, opening)
	case topology.IdentityName:
		return x.named(client, opening)
	}
	return nil
}

// named is a server that wants one of several names in the client's
// certificate, as Consul's servers want that of a server (tlsutil,
// AuthorizeServerConn).
func (x explainer) named(client *x509.Certificate, opening string) error {
	var err error
	var first string
	for _, n := range x.edge.From {
		if err = client.VerifyHostname(n.Value); err == nil {
			return nil
		}
		if first == "" {
			first = n.Value
		}
	}
	if err == nil {
		return nil // the facts left no name to ask for
	}
	x.h.Error = message(err)
	f := nameFault(x.edge.Client.Slot, client, first)
	f.what = "the name that the server asks of its clients is not among those of the certificate"
	x.set(x.edge.Client.Slot, opening, f)
	return err
}

// from is where the client dials from: the addresses of its node, of the
// family that is dialled; where the profile names none, the member at the
// dialled name connects from there.
func (x explainer) from() []string {
	dialled, err := netip.ParseAddr(x.h.Name)
	var out []string
	for _, n := range x.edge.From {
		own, ownErr := netip.ParseAddr(n.Value)
		if err == nil && ownErr == nil && own.Is4() != dialled.Is4() {
			continue
		}
		out = append(out, n.Value)
	}
	if len(x.edge.From) == 0 {
		return []string{x.h.Name}
	}
	return out
}

// typha is what Typha and Felix do behind the chain, each with the other's
// certificate (projectcalico, typha/pkg/tlsutils, CertificateVerifier): common
// name and URI are compared byte for byte, and where both are required either
// one is enough.
func (x explainer) typha(client *x509.Certificate) error {
	for _, side := range []struct {
		own, other topology.End
		cert       *x509.Certificate
	}{
		{x.edge.Client, x.edge.Server, client},
		{x.edge.Server, x.edge.Client, x.server.slot(x.edge.Server.Slot).leaf()},
	} {
		slot := x.topology().Slot(side.own.Slot)
		if slot == nil || side.cert == nil {
			continue
		}
		if err := typhaIdentity(side.cert, slot.Requires.CN, slot.Requires.URI); err != nil {
			x.h.Error = message(err)
			x.set(side.own.Slot, fmt.Sprintf("%s refuses %s", end(side.other), end(side.own)), fault{
				what: "the certificate is not who is expected", has: typhaHas(side.cert), needs: typhaNeeds(slot.Requires.CN, slot.Requires.URI),
				fix: fmt.Sprintf("issue %s again so, or set the expected name to what it has", side.own.Slot),
			})
			return err
		}
	}
	return nil
}

// typhaIdentity has Typha's own messages.
func typhaIdentity(c *x509.Certificate, cn, uri string) error {
	cnOK := cn != "" && c.Subject.CommonName == cn
	uriOK := uri != "" && slices.ContainsFunc(c.URIs, func(u *url.URL) bool { return u.String() == uri })
	switch {
	case cn != "" && uri != "" && !cnOK && !uriOK:
		return errors.New("peer certificate does not have required CN or URI SAN")
	case cn != "" && uri == "" && !cnOK:
		return errors.New("peer certificate does not have required CN")
	case uri != "" && cn == "" && !uriOK:
		return errors.New("peer certificate does not have required URI SAN")
	}
	return nil
}

func typhaHas(c *x509.Certificate) string {
	has := "CN " + untrusted.Text(c.Subject.CommonName).String()
	for _, u := range c.URIs {
		has += ", URI:" + untrusted.Text(u.String()).String()
	}
	return has
}

func typhaNeeds(cn, uri string) string {
	switch {
	case cn != "" && uri != "":
		return "CN " + cn + " or URI:" + uri
	case uri != "":
		return "URI:" + uri
	}
	return "CN " + cn
}

// frontProxy is the check of --requestheader-allowed-names: the common name of
// the front proxy is one of them (apiserver, request/x509/verify_options.go).
func (x explainer) frontProxy(client *x509.Certificate, opening string) error {
	slot := x.topology().Slot(x.edge.Client.Slot)
	if slot == nil || slot.Requires.CN == "" || client.Subject.CommonName == slot.Requires.CN || slot.Requires.Advisory {
		return nil
	}
	cn := untrusted.Text(client.Subject.CommonName).String()
	err := fmt.Errorf("x509: subject with cn=%s is not in the allowed list", cn)
	x.h.Error = message(err)
	x.set(x.edge.Client.Slot, opening, fault{
		what: "the front proxy's common name is not allowed", has: "CN " + cn, needs: "CN " + slot.Requires.CN,
		fix: fmt.Sprintf("issue %s again with that common name, or add it to --requestheader-allowed-names", x.edge.Client.Slot),
	})
	return err
}

// kubernetesUser is who the API server takes the holder of a certificate for:
// the user from the common name, a group from each organization (kube-apiserver,
// x509.CommonNameUserConversion). Without a common name it answers 401.
func kubernetesUser(c *x509.Certificate) (string, []string, error) {
	if c.Subject.CommonName == "" {
		return "", nil, errors.New("Unauthorized") // the API server answers this, in these letters
	}
	var groups []string
	for _, o := range c.Subject.Organization {
		groups = append(groups, untrusted.Text(o).String())
	}
	return untrusted.Text(c.Subject.CommonName).String(), groups, nil
}

// peerAddress is etcd's check of the address that a peer connects from (etcd,
// client/pkg/transport, checkCertSAN), with host for that address: the member
// at host connects from there. A certificate without any name passes it. etcd
// resolves DNS names, forwards and backwards, and we know no addresses: the
// name itself, or a wildcard above it, stands for what it resolves to.
func peerAddress(c *x509.Certificate, host string) error {
	if host == "" || len(c.IPAddresses) == 0 && len(c.DNSNames) == 0 {
		return nil
	}
	if ip := net.ParseIP(host); ip != nil {
		for _, have := range c.IPAddresses {
			if have.Equal(ip) {
				return nil
			}
		}
	}
	for _, name := range c.DNSNames {
		if strings.EqualFold(name, host) {
			return nil
		}
		if suffix, wild := strings.CutPrefix(name, "*"); wild && strings.HasSuffix(strings.ToLower(host), strings.ToLower(suffix)) {
			return nil
		}
	}
	if len(c.DNSNames) == 0 {
		if err := c.VerifyHostname(host); err != nil {
			return err
		}
	}
	return fmt.Errorf("tls: %q does not match any of DNSNames %q", host, c.DNSNames)
}
