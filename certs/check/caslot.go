package check

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"

	"certwright/certs/topology"
	"certwright/certs/untrusted"
)

// caSlot judges a CA: its certificate first in the file, what stands above it
// after it, and its key where one is due.
func (s *slotCheck) caSlot() {
	var keys []crypto.Signer
	if s.in.Key != nil && s.j.wantKey(s.in.Key, s.key, s.in.Cert) {
		keys = keyList(s.in.Key)
	}
	s.privateKeys(keys, s.key)
	if s.in.Cert == nil || !s.j.wantCertificates(s.in.Cert, s.cert, asCA, s.in.Key) {
		return
	}
	s.keyInCAFile(s.in.Cert, s.cert)
	ca := s.cert.first()
	if ca == nil {
		return
	}
	ca = s.caOfKey(ca, keys)
	s.j.authority(ca, s.in.Slot, s.in.Topology)
	if len(keys) > 0 {
		s.canIssue(ca)
	}
	s.shared(ca)
	s.above(ca)
}

// caOfKey finds the certificate of the key. Components read the first one.
func (s *slotCheck) caOfKey(first *node, keys []crypto.Signer) *node {
	if len(keys) == 0 {
		return first
	}
	later := s.severalKeys(keys, first, s.key)
	if sameKey(keys[0].Public(), first.x.PublicKey) {
		return first
	}
	for _, n := range s.cert.nodes {
		if sameKey(keys[0].Public(), n.x.PublicKey) {
			s.j.at("wrong-order", first, detail{
				message: fmt.Sprintf("%s stands first, and the key is that of %s: the CA that signs must stand first", first, n),
				has:     "first " + subjectText(first.x), needs: "first " + subjectText(n.x),
				why: "kubeadm: unable to sign certificate: x509: provided PrivateKey doesn't match parent's PublicKey",
				fix: "put the CA that the key belongs to first, then each certificate's issuer",
			})
			return n
		}
	}
	if !later {
		s.mismatch(first, keys[0], s.key)
	}
	return first
}

// authority judges a CA's certificate by itself.
func (j *judge) authority(n *node, slot *topology.Slot, t *topology.Topology) {
	x := n.x
	switch {
	case x.Version < 3:
	case !x.BasicConstraintsValid || !x.IsCA:
		j.at("not-a-ca", n, detail{message: fmt.Sprintf("%s is not a CA", n), has: basicText(x), needs: "CA:TRUE"})
	case n.extras().keyUsage && x.KeyUsage&x509.KeyUsageCertSign == 0:
		d := detail{message: fmt.Sprintf("%s may not sign certificates by its key usage", n), has: keyUsageText(x.KeyUsage), needs: "keyCertSign"}
		if x.KeyUsage == 0 {
			d.severity, d.why = Warning, emptyUsageOfCA
		}
		j.at("ca-missing-key-cert-sign", n, d)
	}
	j.caTime(n)
	for _, d := range j.keyDefects(n) {
		j.at(d.rule, d.n, d.d)
	}
	if isEd25519(x.PublicKey) {
		d := detail{severity: Warning, message: fmt.Sprintf("the key of %s is Ed25519", n), has: "Ed25519", needs: "ECDSA P-256, P-384 or RSA"}
		if kubeadm(t) {
			d.severity = Error
		}
		if !slices.Contains(slot.Algorithms, "ed25519") || kubeadm(t) {
			j.at("unsupported-key-algorithm", n, d)
		}
	}
	if n.selfIssued() || weakHash(x.SignatureAlgorithm) != 0 {
		j.anchorSignature(n)
	}
	if len(x.UnhandledCriticalExtensions) > 0 {
		j.at("unknown-critical-extension", n, criticalDetail(n))
	}
	if emptyName(x.RawSubject) {
		j.at("empty-subject", n, detail{message: fmt.Sprintf("%s has no subject, and its leaves name it as their issuer", n), has: "an empty subject", needs: "a CN", why: "RFC 5280 4.1.2.6: a CA's subject must not be empty"})
	}
	if strings.HasPrefix(x.Subject.CommonName, "tigera-operator-signer") {
		j.at("subject-cn", n, detail{message: fmt.Sprintf("%s bears the name of the operator's own signer", n), has: "CN=" + untrusted.Text(x.Subject.CommonName).String(), needs: "another CN", why: "the Tigera operator takes certificates of this issuer for its own, and replaces them"})
	}
	j.serial(n, true)
}

// shared warns of a CA that is another authority's too, or stands above or
// below it.
func (s *slotCheck) shared(ca *node) {
	for _, id := range sortedKeys(s.in.Others) {
		if s.in.Others[id] == nil || id == s.in.Slot.Authority {
			continue
		}
		other := newNode(s.in.Others[id], nil, 0, 1)
		d := detail{has: subjectText(ca.x), needs: "a CA for each, beside one another"}
		switch {
		case sameKey(ca.x.PublicKey, other.x.PublicKey):
			d.message = fmt.Sprintf("%s is the CA of %s too", ca, id)
		case bytes.Equal(ca.x.RawIssuer, other.x.RawSubject) && s.j.sigs.signed(ca, other):
			d.message = fmt.Sprintf("%s is issued by the CA of %s, so whatever it signs is believed there too", ca, id)
		case bytes.Equal(other.x.RawIssuer, ca.x.RawSubject) && s.j.sigs.signed(other, ca):
			d.message = fmt.Sprintf("%s issued the CA of %s, so whatever that one signs is believed here too", ca, id)
		default:
			continue
		}
		s.j.at("ca-shared-between-roles", ca, d)
	}
}

// kubeadm says whether kubeadm reads the files of the topology.
func kubeadm(t *topology.Topology) bool {
	return t != nil && t.Profile != nil && strings.HasPrefix(t.Profile.Name, "kubernetes")
}

// canIssue judges whether what this CA would sign for the slots of its
// authority would be accepted: their names against its constraints, their
// usages against its own.
func (s *slotCheck) canIssue(ca *node) {
	t := s.in.Topology
	if t == nil {
		return
	}
	nc := ca.constraints()
	var per, exc *matcher
	if nc != nil {
		per, exc = nc.matchers(false)
	}
	var refused []string
	lacks := map[topology.Usage][]string{}
	for i := range t.Slots {
		slot := &t.Slots[i]
		if slot.Kind != topology.Leaf || slot.Authority != s.in.Slot.Authority {
			continue
		}
		for _, u := range slot.Requires.Usages {
			if !hasUsage(ca.x, u) {
				lacks[u] = append(lacks[u], string(slot.ID))
			}
		}
		for _, name := range slot.Names {
			if nc != nil && !permits(nc, per, exc, name) && !slices.Contains(refused, name.String()) {
				refused = append(refused, name.String())
			}
		}
	}
	for _, u := range []topology.Usage{topology.ServerAuth, topology.ClientAuth} {
		if len(lacks[u]) > 0 {
			s.j.at("issuer-eku", ca, detail{message: fmt.Sprintf("%s restricts what it signs to uses without %s, which %s need", ca, ekuName(u), list(lacks[u])), has: ekuText(ca.x), needs: ekuName(u)})
		}
	}
	if len(refused) > 0 {
		s.j.at("name-constraint", ca, detail{message: fmt.Sprintf("%s may not sign for %d of the names that its certificates need", ca, len(refused)), has: nc.String(), needs: list(refused)})
	}
}

func permits(nc *nameConstraints, per, exc *matcher, name topology.Name) bool {
	switch name.Kind {
	case topology.DNSName:
		return (len(nc.permitted.dns) == 0 || per.dns(name.Value)) && !exc.dns(name.Value)
	case topology.IPAddress:
		ip := addressBytes(name.Value)
		return (len(nc.permitted.ips) == 0 || per.ip(ip)) && !exc.ip(ip)
	case topology.URIName:
		host := bareHost(name.Value)
		return (len(nc.permitted.uris) == 0 || per.uri(host)) && !exc.uri(host)
	}
	return true
}

// above judges what follows the CA in its file: its issuers, and nothing else
// that matters. A CA file is a pool: other CAs in it are trusted too.
func (s *slotCheck) above(ca *node) {
	seen := map[[32]byte]*node{ca.hash: ca}
	p := path{ca}
	for _, n := range s.cert.nodes {
		if n == ca {
			continue
		}
		if twin, ok := seen[n.hash]; ok {
			s.j.at("duplicate-in-bundle", n, detail{message: fmt.Sprintf("%s is the same as certificate %d", n, twin.pos)})
			continue
		}
		seen[n.hash] = n
		if s.j.now.After(n.x.NotAfter) {
			s.j.at("ca-expired", n, detail{severity: Warning, message: fmt.Sprintf("%s expired on %s", n, day(n.x.NotAfter)), why: "components ignore an expired CA beside a good one", has: "notAfter " + day(n.x.NotAfter), fix: "drop it from the file"})
		}
		if last := p[len(p)-1]; bytes.Equal(last.x.RawIssuer, n.x.RawSubject) && s.j.sigs.signed(last, n) {
			p = append(p, n)
		}
	}
	signs := func(u topology.Consumer) bool { return u.Name == "--cluster-signing-cert-file" }
	if len(s.cert.nodes) > 1 && slices.ContainsFunc(s.in.Slot.Consumers, signs) && !s.in.Rewritten {
		s.j.at("extraneous-certificate", s.cert.nodes[1], detail{severity: Warning, message: fmt.Sprintf("there are %d certificates in the file, and kube-controller-manager signs with a file of exactly one", len(s.cert.nodes)), why: "kube-controller-manager exits: expected 1 certificate, found 2; everybody else reads the whole file", has: fmt.Sprintf("%d certificates", len(s.cert.nodes)), needs: "one", fix: "keep the CA alone in this file, and what stands above it in another"})
	}
	for i, n := range p[1:] {
		// What stands above counts only for those who start at the root.
		if n.x.BasicConstraintsValid && n.x.MaxPathLen >= 0 && i+1 > n.x.MaxPathLen {
			s.j.at("pathlen-exceeded", n, detail{severity: Warning, message: fmt.Sprintf("%s allows %d CAs below it, and there are %d", n, n.x.MaxPathLen, i+1), why: "components that trust the CA itself accept it; whoever trusts only the root says: x509: too many intermediates for path length constraint", has: fmt.Sprintf("%d below", i+1), needs: fmt.Sprintf("at most %d", n.x.MaxPathLen)})
		}
	}
}

// keyPair judges a private key and its public key, of service accounts.
func (s *slotCheck) keyPair() {
	var keys []crypto.Signer
	if s.in.Key != nil && s.j.wantKey(s.in.Key, s.key, nil) {
		keys = keyList(s.in.Key)
	}
	for _, k := range keys[:min(len(keys), 1)] {
		s.tokenKey(k.Public(), s.key)
	}
	if len(keys) > 1 {
		s.j.report("multiple-keys", s.key, 0, detail{message: fmt.Sprintf("there are %d private keys in the file; the first one is used", len(keys)), has: fmt.Sprintf("%d keys", len(keys)), needs: "one"})
	}
	doc := s.in.Cert
	if doc == nil {
		return
	}
	pubs := slices.Clone(doc.PublicKeys)
	for _, n := range s.cert.nodes {
		pubs = append(pubs, n.x.PublicKey) // kube-apiserver takes the key of a certificate too
	}
	switch {
	case len(pubs) > 0:
	case len(doc.Keys) > 0:
		s.j.report("key-in-cert-slot", s.cert, 0, detail{message: "this is a private key, and the public key is due", has: "a private key", needs: "PUBLIC KEY", why: "kube-apiserver reads it, and every control plane then holds the key that signs tokens where the public one would do", fix: "$ openssl pkey -in {file} -pubout -out fixed.pub"})
		return
	case blocked(doc):
		return
	default:
		s.j.report("wrong-block-type", s.cert, 0, detail{message: "there is no public key in it", has: "blocks: " + list(doc.Blocks), needs: "PUBLIC KEY", why: "kube-apiserver: data does not contain any valid RSA or ECDSA public keys", fix: "$ openssl pkey -in sa.key -pubout -out sa.pub"})
		return
	}
	if len(keys) > 0 && !slices.ContainsFunc(pubs, func(p crypto.PublicKey) bool { return sameKey(keys[0].Public(), p) }) {
		has, needs := mismatchText(keys[0].Public(), pubs[0])
		s.j.report("key-mismatch", s.cert, 0, detail{message: "the public key is not that of the private key: tokens signed with the one are refused by the other", has: needs, needs: has, why: "every service account gets HTTP 401: invalid bearer token", fix: fmt.Sprintf("$ openssl pkey -in %s -pubout -out %s", untrusted.Text(s.in.Key.Name).ShellArg(), untrusted.Text(doc.Name).ShellArg())})
	} else if len(keys) == 0 && s.in.Key == nil {
		s.tokenKey(pubs[0], s.cert)
	}
}

// tokenKey judges a key that signs service accounts' tokens.
func (s *slotCheck) tokenKey(pub crypto.PublicKey, src *source) {
	if isEd25519(pub) {
		s.j.report("unsupported-key-algorithm", src, 0, detail{message: "the key is Ed25519, and service account tokens are signed with RSA or ECDSA", has: "Ed25519", needs: "RSA or ECDSA", why: "kube-apiserver does not start: unknown private key type ed25519.PrivateKey, must be *rsa.PrivateKey, *ecdsa.PrivateKey, or jose.OpaqueSigner"})
		return
	}
	for _, d := range s.j.publicKeyDefects(pub, theKey) {
		s.j.report(d.rule, src, 0, d.d)
	}
}
