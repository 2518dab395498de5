package install

import (
	"bytes"
	"context"
	"crypto/x509"
	"sync"
	"sync/atomic"

	"certwright/certs/check"
	"certwright/certs/issue"
	"certwright/certs/place"
)

// checkAhead checks who signed whom among the certificates of files, on all
// cores but one, until the function is called that it returns. Nothing hangs on
// how far it comes: who asks the memory has checked what is not there yet.
func checkAhead(ctx context.Context, m *check.Memory, files []place.File, workers int) (stop func()) {
	if workers <= 0 {
		workers = issue.Cores()
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	if workers > 1 {
		wg.Go(func() {
			cas := authoritiesOf(files)
			var next atomic.Int64
			for range workers - 1 {
				wg.Go(func() {
					for i := next.Add(1) - 1; int(i) < len(files) && ctx.Err() == nil; i = next.Add(1) - 1 {
						for _, c := range files[i].Doc.Certificates {
							if ca := issuerOf(cas, c.X509); ca != nil {
								m.Issued(ca, c.X509)
							}
						}
					}
				})
			}
		})
	}
	return func() {
		cancel()
		wg.Wait()
	}
}

// authoritiesOf are the CAs of files by their subject, each once.
func authoritiesOf(files []place.File) map[string][]*x509.Certificate {
	cas := map[string][]*x509.Certificate{}
	seen := map[string]bool{}
	for _, f := range files {
		for _, c := range f.Doc.Certificates {
			if c.X509 != nil && c.X509.IsCA && !seen[string(c.X509.Raw)] {
				seen[string(c.X509.Raw)] = true
				cas[string(c.X509.RawSubject)] = append(cas[string(c.X509.RawSubject)], c.X509)
			}
		}
	}
	return cas
}

// issuerOf is the CA that a certificate names as its issuer, nil when none or
// more than one could be it.
func issuerOf(cas map[string][]*x509.Certificate, c *x509.Certificate) *x509.Certificate {
	if c == nil || bytes.Equal(c.RawSubject, c.RawIssuer) {
		return nil
	}
	var issuer *x509.Certificate
	for _, ca := range cas[string(c.RawIssuer)] {
		if len(c.AuthorityKeyId) > 0 && len(ca.SubjectKeyId) > 0 && !bytes.Equal(c.AuthorityKeyId, ca.SubjectKeyId) {
			continue
		}
		if issuer != nil {
			return nil
		}
		issuer = ca
	}
	return issuer
}
