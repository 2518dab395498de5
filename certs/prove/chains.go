package prove

import (
	"crypto/tls"
	"crypto/x509"
	"sync"

	"certwright/certs/topology"
)

// question is what one side asks of the certificates that it is shown: do they
// lead to a certificate that it trusts, for this use?
type question struct {
	shown topology.SlotID
	trust topology.AuthorityID
	usage x509.ExtKeyUsage
}

// chains remembers which questions a handshake has answered with yes. An edge is
// tried once for each name and version of TLS, and x509.Verify says the same
// each time of the same files at the same hour: with P-256, asking it again was
// a quarter of what a proof takes. The first handshake of a question verifies
// the chain within crypto/tls, as the component does; later ones leave out
// that, and nothing else. A refusal is not remembered, so that each is
// crypto/tls's own, with its own words and alert.
type chains struct {
	mu  sync.Mutex
	led map[question]bool
}

func newChains() *chains { return &chains{led: map[question]bool{}} }

// lead says whether a handshake has found that q is so.
func (c *chains) lead(q question) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.led[q]
}

// learn takes a question that was answered with yes.
func (c *chains) learn(q question) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.led[q] = true
}

// connected takes what a handshake has shown that worked.
func (c *chains) connected(e *topology.Edge) {
	if e.ServerCA != "" {
		c.learn(ofServer(e))
	}
	if e.ClientCA != "" {
		c.learn(ofClient(e))
	}
}

func ofServer(e *topology.Edge) question {
	return question{e.Server.Slot, e.ServerCA, x509.ExtKeyUsageServerAuth}
}

func ofClient(e *topology.Edge) question {
	return question{e.Client.Slot, e.ClientCA, x509.ExtKeyUsageClientAuth}
}

// spare leaves the chains out that are known to lead where they must. The host
// name is still asked for; the server still demands a certificate, and the
// proof that its key is there.
func (c *chains) spare(e *topology.Edge, client, server *tls.Config) {
	if e.ServerCA != "" && c.lead(ofServer(e)) {
		name := client.ServerName
		client.InsecureSkipVerify = true
		client.VerifyConnection = func(s tls.ConnectionState) error { return verifyName(s, name) }
	}
	if e.ClientCA != "" && c.lead(ofClient(e)) {
		server.ClientAuth = tls.RequireAnyClientCert
	}
}

// verifyName is what crypto/tls does with the name that was dialled, "" for none.
func verifyName(s tls.ConnectionState, name string) error {
	if name == "" {
		return nil
	}
	if err := s.PeerCertificates[0].VerifyHostname(name); err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: s.PeerCertificates, Err: err}
	}
	return nil
}
