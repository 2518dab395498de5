package check

import (
	"crypto"
	"fmt"
	"slices"

	"certwright/certs/material"
	"certwright/certs/topology"
	"certwright/certs/untrusted"
)

// Slot judges one slot's material against its role. Findings are sorted worst
// first, then in the order certificate, key, CA. What was not handed over is
// not judged. It changes nothing that it is given, and may run on several
// goroutines at once.
func Slot(in SlotInput) []Finding {
	if in.Slot == nil {
		return nil
	}
	s := newSlotCheck(in)
	s.run()
	return s.j.findings()
}

// slotCheck is the judgement of one slot.
type slotCheck struct {
	j             *judge
	in            SlotInput
	cert, key, ca *source
}

func newSlotCheck(in SlotInput) *slotCheck {
	s := &slotCheck{
		j: newJudge(in.Slot.ID, in.Now), in: in,
		cert: readSource(in.Cert, 0), key: readSource(in.Key, 1), ca: readSource(in.CA, 2),
	}
	s.j.sigs.memory, s.j.takes = in.Memory, in.Slot.Algorithms
	return s
}

func (s *slotCheck) run() {
	kind := s.in.Slot.Kind
	as := asCertificate
	switch kind {
	case topology.CA:
		as = asCA
	case topology.KeyPair:
		as = asPublicKey
	}
	s.j.role = as
	if s.in.Cert != nil {
		s.j.form(s.in.Cert, s.cert, as, s.in.Rewritten, s.in.Key)
	}
	if s.in.Key != nil {
		s.j.form(s.in.Key, s.key, asKey, s.in.Rewritten, s.in.Key)
		s.j.permissions(s.in.Key, s.key)
	}
	switch kind {
	case topology.CA:
		s.caSlot()
	case topology.KeyPair:
		s.keyPair()
	default:
		s.leafSlot()
	}
}

// keys are the private keys handed over: in their own file, or beside the
// certificate.
func (s *slotCheck) keys() ([]crypto.Signer, *source) {
	if s.in.Key == nil {
		return keyList(s.in.Cert), s.cert
	}
	if !s.j.wantKey(s.in.Key, s.key, s.in.Cert) {
		return nil, s.key
	}
	return keyList(s.in.Key), s.key
}

func (s *slotCheck) leafSlot() {
	keys, keySrc := s.keys()
	if s.in.CA != nil {
		s.j.form(s.in.CA, s.ca, asCA, s.in.Rewritten, nil)
		s.caFile()
	}
	s.privateKeys(keys, keySrc)
	if s.in.Cert == nil || !s.j.wantCertificates(s.in.Cert, s.cert, asCertificate, s.in.Key) {
		return
	}
	if s.in.Key == nil || s.in.Key.SHA256 != s.in.Cert.SHA256 {
		s.j.permissions(s.in.Cert, s.cert)
	}
	leaf, isLeaf := s.pickLeaf(keys, keySrc)
	if leaf == nil {
		return
	}
	c := &chainCheck{
		j: s.j, leaf: leaf, usages: s.in.Slot.Requires.Usages, advised: s.in.Slot.Requires.Advised,
		others: s.in.Others, lossy: unread(s.in.Cert) || unread(s.in.CA), authName: s.in.Slot.Authority,
	}
	if s.in.Topology != nil {
		c.ownRoot = s.in.Topology.Root.CN
	}
	for _, n := range s.cert.nodes {
		if n != leaf {
			c.sent = append(c.sent, n)
		}
	}
	if s.ca != nil {
		c.anchors = s.ca.nodes
		c.inRoots = slices.ContainsFunc(c.anchors, func(a *node) bool { return a.hash == leaf.hash })
	}
	if !isLeaf {
		s.j.leafTime(leaf, false)
		return
	}
	s.j.leaf(leaf, s.in.Slot, s.in.Topology, c.inRoots)
	s.chain(c)
}

// chain judges the leaf's chain, and the files around it.
func (s *slotCheck) chain(c *chainCheck) {
	var p path
	if len(c.anchors) > 0 {
		p = c.run()
	}
	c.bundle(p)
	if p == nil {
		return
	}
	if !s.j.quiet || !c.leaf.selfIssued() {
		c.outlives(p)
	}
	for _, a := range c.anchors {
		if a != p.anchor() && s.j.now.After(a.x.NotAfter) && a.hash != c.leaf.hash {
			s.j.at("ca-expired", a, detail{severity: Warning, message: fmt.Sprintf("%s expired on %s; the chain does not need it", a, day(a.x.NotAfter)), why: "components ignore an expired CA beside a good one", has: "notAfter " + day(a.x.NotAfter), fix: "drop it from the file"})
		}
	}
	if a := p.anchor(); a != c.leaf {
		s.j.anchorSignature(a)
		s.j.serial(a, false)
	}
}

// anchorSignature warns of a weak signature that nobody verifies: an anchor's own.
func (j *judge) anchorSignature(a *node) {
	if weakHash(a.x.SignatureAlgorithm) != 0 {
		j.at("weak-signature", a, detail{severity: Warning, message: fmt.Sprintf("%s is signed with %s; as a trust anchor its signature is not verified", a, a.x.SignatureAlgorithm), why: "components do not verify an anchor's own signature; auditors and some browsers look at it", has: a.x.SignatureAlgorithm.String(), needs: "SHA-256 or better"})
	}
}

// caFile judges the CA file that a leaf is held against.
func (s *slotCheck) caFile() {
	if !s.j.wantCertificates(s.in.CA, s.ca, asCA, nil) {
		return
	}
	s.keyInCAFile(s.in.CA, s.ca)
}

func (s *slotCheck) keyInCAFile(doc *material.Document, src *source) {
	if len(doc.Keys) == 0 || s.in.Rewritten && s.in.Slot.Kind != topology.CA {
		return
	}
	d := detail{message: "a private key stands beside the CA's certificate, and this file goes to everybody", has: "blocks: " + list(doc.Blocks), needs: "certificates alone"}
	if s.in.Rewritten {
		d.severity, d.why, d.fix = Info, "only the certificates are written to the CA file; the key stays where it is", "none needed"
	}
	s.j.report("key-in-ca-file", src, 0, d)
}

// leaf judges a leaf by itself, without its chain.
func (j *judge) leaf(n *node, slot *topology.Slot, t *topology.Topology, trusted bool) {
	j.leafTime(n, serverSlot(slot))
	for _, d := range j.keyDefects(n) {
		j.at(d.rule, d.n, d.d)
	}
	if isEd25519(n.x.PublicKey) && !slices.Contains(slot.Algorithms, "ed25519") {
		j.at("unsupported-key-algorithm", n, detail{severity: Warning, message: fmt.Sprintf("the key of %s is Ed25519", n), why: "Go's components take it; no browser does (ERR_SSL_VERSION_OR_CIPHER_MISMATCH), and kubeadm does not", has: "Ed25519", needs: "ECDSA P-256, P-384 or RSA"})
	}
	if weakHash(n.x.SignatureAlgorithm) != 0 && !trusted {
		j.at("weak-signature", n, weakDetail(n))
	}
	if len(n.x.UnhandledCriticalExtensions) > 0 {
		j.at("unknown-critical-extension", n, criticalDetail(n))
	}
	j.serial(n, false)
	j.names(n, slot.RequiredNames())
	j.hints(n, slot)
	j.peerNames(n, slot, t)
	j.subject(n, slot, t)
	j.usages(n, slot)
	j.keyUsage(n, serverSlot(slot), trusted)
	if n.x.IsCA && !trusted {
		j.at("leaf-is-ca", n, detail{message: fmt.Sprintf("%s is marked as a CA", n), has: "CA:TRUE", needs: "CA:FALSE"})
	}
}

func weakDetail(n *node) detail {
	return detail{message: fmt.Sprintf("%s is signed with %s, which verifiers refuse", n, n.x.SignatureAlgorithm), has: n.x.SignatureAlgorithm.String(), needs: "SHA-256 or better"}
}

// hints name what is good to have and not needed.
func (j *judge) hints(n *node, slot *topology.Slot) {
	var missing, why []string
	for _, name := range slot.Names {
		if name.Advised != "" && name.Required == "" && name.Kind != topology.URIName && !covers(n, name) {
			missing = append(missing, name.String())
			if !slices.Contains(why, name.Advised) {
				why = append(why, name.Advised)
			}
		}
	}
	if len(missing) > 0 && n.extras().san {
		j.at("san-missing", n, detail{severity: Info, message: fmt.Sprintf("%s does not cover %s, which is not needed but may be dialled", n, list(missing)), why: list(why), has: namesText(n), needs: list(missing), fix: "none needed; add it when the certificate is issued the next time"})
	}
}

// peerNames warns of an etcd peer certificate without addresses.
func (j *judge) peerNames(n *node, slot *topology.Slot, t *topology.Topology) {
	peer := t != nil && slices.ContainsFunc(t.Edges, func(e topology.Edge) bool {
		return e.Identity == topology.IdentityPeer && (e.Client.Slot == slot.ID || e.Client.Slot == slot.ID.Base())
	})
	if peer && len(n.x.IPAddresses) == 0 && len(n.x.DNSNames) > 0 {
		j.at("etcd-peer-san", n, detail{message: fmt.Sprintf("%s has no address among its names: etcd looks the remote address up in DNS", n), has: namesText(n), needs: "the members' addresses, or DNS that leads from them to these names and back"})
	}
}

// privateKeys judges the keys of the key file by themselves.
func (s *slotCheck) privateKeys(keys []crypto.Signer, src *source) {
	if s.in.Cert != nil && slices.ContainsFunc(s.in.Cert.Certificates, func(c material.Certificate) bool {
		return c.X509 != nil && len(keys) > 0 && sameKey(keys[0].Public(), c.X509.PublicKey)
	}) {
		return // the certificate's key is judged with the certificate
	}
	for _, k := range keys[:min(len(keys), 1)] {
		for _, d := range s.j.publicKeyDefects(k.Public(), theKey) {
			s.j.report(d.rule, src, 0, d.d)
		}
	}
}

// owner says whose a private key is, when it is a CA's.
func (s *slotCheck) owner(pub crypto.PublicKey) string {
	if s.ca != nil {
		for _, n := range s.ca.nodes {
			if sameKey(pub, n.x.PublicKey) {
				return fmt.Sprintf("it is the key of the CA, %s", subjectText(n.x))
			}
		}
	}
	for _, id := range sortedKeys(s.in.Others) {
		if ca := s.in.Others[id]; ca != nil && sameKey(pub, ca.PublicKey) {
			return fmt.Sprintf("it is the key of %s's CA", id)
		}
	}
	return ""
}

func (s *slotCheck) mismatch(n *node, key crypto.Signer, src *source) {
	d := detail{message: fmt.Sprintf("the private key is not that of %s", n.in())}
	d.has, d.needs = mismatchText(key.Public(), n.x.PublicKey)
	if who := s.owner(key.Public()); who != "" {
		d.message += "; " + who
	}
	d.fix = fmt.Sprintf("$ openssl x509 -noout -pubkey -in %s | openssl sha256; openssl pkey -pubout -in %s | openssl sha256",
		untrusted.Text(n.src.name).ShellArg(), untrusted.Text(src.name).ShellArg())
	s.j.report("key-mismatch", src, 0, d)
}
