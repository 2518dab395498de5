package prove

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
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
		if err := peerAddress(client, x.h.Name); err != nil {
			x.h.Error = message(err)
			f := nameFault(x.edge.Client.Slot, client, x.h.Name)
			f.what = fmt.Sprintf("a member that connects from %s is not among the names of its certificate", x.h.Name)
			x.set(x.edge.Client.Slot, opening, f)
			return err
		}
	}
	return nil
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
