package check

import (
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"sync"
)

// Memory remembers by the hashes of two certificates whether one signed the
// other, so that several judgements of the same certificates check each
// signature once. It may be used from several goroutines at once.
type Memory struct {
	mu    sync.Mutex
	known map[[2][sha256.Size]byte]*remembered
	count Count
}

// Count is what a Memory was good for.
type Count struct {
	Checked  int // signatures that were checked, each the time of a verification
	Recalled int // times that a verdict was there already
}

// Count is what it was good for so far. What Verified noted was not checked here.
func (m *Memory) Count() Count {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.count
}

// remembered is a verdict; whoever finds one that is not there yet waits.
type remembered struct {
	v    verdict
	done chan struct{} // nil: it was there from the beginning
}

// NewMemory is one that knows nothing yet.
func NewMemory() *Memory { return &Memory{known: map[[2][sha256.Size]byte]*remembered{}} }

// Verified notes a signature that was checked already, with the issuer's public
// key: package issue does so with each that it makes.
func (m *Memory) Verified(child, issuer *x509.Certificate) {
	key := [2][sha256.Size]byte{sha256.Sum256(child.Raw), sha256.Sum256(issuer.Raw)}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.known[key] = &remembered{v: sigGood}
}

// Issued says whether a CA's certificate issued a child: what
// x509.Certificate.CheckSignatureFrom says, with the signature itself checked
// once. A Memory that is nil checks it each time.
func (m *Memory) Issued(ca, child *x509.Certificate) bool {
	k, isRSA := ca.PublicKey.(*rsa.PublicKey)
	switch {
	case m == nil, isRSA && k.N.BitLen() < 1024: // keys that crypto/x509 does not use, and a judgement does
		return child.CheckSignatureFrom(ca) == nil
	case ca.Version == 3 && !ca.BasicConstraintsValid, ca.BasicConstraintsValid && !ca.IsCA,
		ca.KeyUsage != 0 && ca.KeyUsage&x509.KeyUsageCertSign == 0, ca.PublicKeyAlgorithm == x509.UnknownPublicKeyAlgorithm:
		return false
	}
	v, _ := m.verdict(&node{hash: sha256.Sum256(child.Raw)}, &node{hash: sha256.Sum256(ca.Raw)}, func() verdict { return checkSignature(child, ca) })
	return v == sigGood
}

func (m *Memory) has(child, parent *node) bool {
	if m == nil {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.known[[2][sha256.Size]byte{child.hash, parent.hash}] != nil
}

// verdict is that of a check before, of another that is under way, or of now.
// checked says that check was called.
func (m *Memory) verdict(child, parent *node, check func() verdict) (v verdict, checked bool) {
	if m == nil {
		return check(), true
	}
	key := [2][sha256.Size]byte{child.hash, parent.hash}
	m.mu.Lock()
	r, known := m.known[key]
	if !known {
		r = &remembered{done: make(chan struct{})}
		m.known[key] = r
		m.count.Checked++
	} else {
		m.count.Recalled++
	}
	m.mu.Unlock()
	if known {
		if r.done != nil {
			<-r.done
		}
		return r.v, false
	}
	r.v = check()
	close(r.done)
	return r.v, true
}

// Seen holds what must not come twice in a set that is judged part by part: keys
// and serial numbers, as the first 16 bytes of a hash. It may be used from
// several goroutines at once.
type Seen struct {
	mu            sync.Mutex
	keys, serials map[[16]byte]struct{}
}

// NewSeen is one that has seen nothing yet.
func NewSeen() *Seen {
	return &Seen{keys: map[[16]byte]struct{}{}, serials: map[[16]byte]struct{}{}}
}

// add says whether the key and the serial number were there already.
func (s *Seen) add(n *node) (key, serial bool) {
	short := func(parts ...[]byte) (out [16]byte) {
		h := sha256.New()
		for _, p := range parts {
			h.Write(p)
			h.Write([]byte{0})
		}
		copy(out[:], h.Sum(nil))
		return out
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k := short(n.x.RawSubjectPublicKeyInfo)
	_, key = s.keys[k]
	s.keys[k] = struct{}{}
	if n.x.SerialNumber != nil {
		k = short(n.x.RawIssuer, n.x.SerialNumber.Bytes())
		_, serial = s.serials[k]
		s.serials[k] = struct{}{}
	}
	return key, serial
}

// parts compares with the other parts of the set, once nothing within this one
// was found twice.
func (c *setCheck) parts(seen *Seen) {
	for _, o := range c.owned {
		key, serial := seen.add(o.n)
		j := newJudge(o.slot.ID, c.now)
		if key && !c.says("key-reused", o.slot.ID) {
			j.at("key-reused", o.n, detail{message: string(o.slot.ID) + " uses the key of another certificate of the set", has: keyText(o.n.x.PublicKey) + " " + pubFingerprint(o.n.x.PublicKey), needs: "a key of its own"})
		}
		if serial && !c.says("duplicate-serial", o.slot.ID) && !c.says("key-reused", o.slot.ID) {
			j.at("duplicate-serial", o.n, detail{message: string(o.slot.ID) + " and another certificate of the set have the same issuer and the same serial number", has: o.n.x.SerialNumber.Text(16), needs: "a serial number of its own for each"})
		}
		c.take(j)
	}
}
