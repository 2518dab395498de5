package place

import (
	"bytes"
	"cmp"
	"crypto/rsa"
	"crypto/x509"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"certwright/certs/material"
)

// The bounds on who may have issued whom. No real pile comes near them; they
// keep one in which all names are alike from taking quadratic time.
const (
	maxIssuers    = 8 // candidates looked at for one certificate
	maxSignatures = 4 // of them, how many signatures are checked
	maxAbove      = 8 // CAs in a row
)

// tables find a certificate's issuer without looking at all others.
type tables struct {
	bySubject map[string][]*cert
	byKeyID   map[string][]*cert
}

// relate finds each certificate's issuers in the pile. Key identifiers decide
// where both sides have them, for they are computed from the issuer's key; a
// signature is checked, once for each pair, only where they do not.
func (s *sorter) relate() {
	s.tables = tables{map[string][]*cert{}, map[string][]*cert{}}
	// CAs first, so that they are among the candidates that are looked at.
	slices.SortFunc(s.certs, func(a, b *cert) int {
		if a.x.IsCA != b.x.IsCA {
			if a.x.IsCA {
				return -1
			}
			return 1
		}
		return slices.Compare(a.hash[:], b.hash[:])
	})
	for _, c := range s.certs {
		name, id := string(c.x.RawSubject), string(c.x.SubjectKeyId)
		s.tables.bySubject[name] = append(s.tables.bySubject[name], c)
		if id != "" {
			s.tables.byKeyID[id] = append(s.tables.byKeyID[id], c)
		}
	}
	parallel(len(s.certs), func(i int) { s.tables.issuers(s.certs[i]) })
	for _, c := range s.certs {
		for _, issuer := range c.issuers {
			issuer.children++
		}
	}
}

// issuers fills in the issuers of one certificate.
func (t tables) issuers(c *cert) {
	if c.selfSigned() {
		return
	}
	aki := c.x.AuthorityKeyId
	if len(aki) > 0 {
		for _, p := range first(t.byKeyID[string(aki)], maxIssuers) {
			// The same name in another encoding is check's to report.
			if p != c && (bytes.Equal(p.x.RawSubject, c.x.RawIssuer) || p.x.Subject.String() == c.x.Issuer.String()) {
				c.issuers = append(c.issuers, p)
			}
		}
	}
	if len(c.issuers) > 0 {
		return
	}
	checks := 0
	for _, p := range first(t.bySubject[string(c.x.RawIssuer)], maxIssuers) {
		if p == c {
			continue
		}
		if checks++; checks <= maxSignatures && signed(p.x, c.x) {
			c.issuers = append(c.issuers, p)
		} else {
			c.named = append(c.named, p)
		}
	}
}

func first[T any](s []T, n int) []T { return s[:min(len(s), n)] }

// selfSigned says whether a certificate names itself as its issuer.
func (c *cert) selfSigned() bool {
	return bytes.Equal(c.x.RawSubject, c.x.RawIssuer) &&
		(len(c.x.AuthorityKeyId) == 0 || len(c.x.SubjectKeyId) == 0 || bytes.Equal(c.x.AuthorityKeyId, c.x.SubjectKeyId))
}

// signed says whether parent's key signed child, whatever else stands against it.
func signed(parent, child *x509.Certificate) bool {
	if k, ok := parent.PublicKey.(*rsa.PublicKey); ok && k.N.BitLen() > material.MaxRSABits {
		return false // refused before use: checking it would take seconds
	}
	return parent.PublicKey != nil && parent.CheckSignature(child.SignatureAlgorithm, child.RawTBSCertificate, child.Signature) == nil
}

// relation is how a certificate stands to a CA.
type relation int

const (
	stranger relation = iota
	namesake          // it names the CA as its issuer, but another key signed it
	below             // over an intermediate
	child
)

// to says how c stands to a CA.
func (c *cert) to(ca *cert) relation {
	switch {
	case ca == nil:
		return stranger
	case slices.Contains(c.issuers, ca):
		return child
	case stands(ca, c):
		return below
	case slices.Contains(c.named, ca):
		return namesake
	}
	return stranger
}

// signs says whether a certificate is there to sign others.
func (c *cert) signs() bool {
	if c.children > 0 && (c.x.IsCA || !c.servesOrDials()) {
		return true
	}
	return c.x.IsCA && !c.servesOrDials() || c.selfSigned() && !c.servesOrDials()
}

// servesOrDials says whether a certificate looks like a leaf's: it has names or usages.
func (c *cert) servesOrDials() bool {
	return len(c.names) > 0 || len(c.x.ExtKeyUsage) > 0 && !(c.x.IsCA && c.x.KeyUsage&x509.KeyUsageCertSign != 0 && c.children > 0)
}

// parallel runs f for 0 … n-1 on all cores and returns when all are done.
func parallel(n int, f func(int)) {
	const batch = 64
	workers := min(runtime.GOMAXPROCS(0), (n+batch-1)/batch)
	if workers <= 1 {
		for i := range n {
			f(i)
		}
		return
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for {
				to := int(next.Add(batch))
				if to-batch >= n {
					return
				}
				for i := to - batch; i < min(to, n); i++ {
					f(i)
				}
			}
		})
	}
	wg.Wait()
}

// byHash orders certificates by content, for choices that nothing else decides.
func byHash(a, b *cert) int { return cmp.Compare(string(a.hash[:]), string(b.hash[:])) }
