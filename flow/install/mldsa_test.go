//go:build mldsa && go1.27

package install_test

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"certwright/assets/profiles"
	"certwright/certs/issue"
	"certwright/certs/material"
	"certwright/certs/prove"
	"certwright/certs/topology"
	"certwright/flow/install"
	"certwright/flow/plan"
)

// With GOTOOLCHAIN=go1.27.0 go test -tags mldsa ./flow/install -run MLDSA: a
// profile whose components take ML-DSA gets a set of it, proved over TLS 1.3,
// written, read back, and brought again as CAs and as certificates.
func TestMLDSAIssuesAndProves(t *testing.T) {
	source, err := profiles.Source("nats")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(source), "algorithms: [ecdsa-p256,", "algorithms: [ml-dsa-44, ml-dsa-65, ml-dsa-87, ecdsa-p256,", 1)
	profile, err := profiles.Parse("pq.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range []issue.Algorithm{issue.MLDSA44, issue.MLDSA65, issue.MLDSA87} {
		for _, h := range []topology.Hierarchy{topology.Roots, topology.Intermediates} {
			t.Run(string(a)+" "+string(h), func(t *testing.T) {
				w := world(t)
				w.Catalogue = own{profile}
				p := plan.Default(profile)
				p.Keys.Algorithm, p.Hierarchy = a, h
				answers, err := install.NewAnswers(w.Catalogue, p)
				if err != nil {
					t.Fatal(err)
				}
				made, err := install.Prepare(t.Context(), w, answers, nil, nil)
				if err != nil {
					t.Fatal(err)
				}
				proved(t, made)
				for _, o := range made.Handshakes {
					if o.Version != "TLS 1.3" {
						t.Errorf("%s over %s", o.Edge, o.Version)
					}
				}
				for id, pair := range made.Set.Pairs {
					if got := material.PostQuantum(pair.Leaf().RawSubjectPublicKeyInfo); !strings.EqualFold(got, string(a)) {
						t.Errorf("%s has a key of %q", id, got)
					}
					if len(pair.Certificates) > 1 {
						if err := pair.Leaf().CheckSignatureFrom(pair.Certificates[1]); err != nil {
							t.Errorf("%s: %v", id, err)
						}
					}
				}
				if _, err := install.Commit(t.Context(), w, made, false, nil); err != nil {
					t.Fatal(err)
				}
				data, err := os.ReadFile(filepath.Join(w.Dir, "generated/tls/clients/client.key"))
				if err != nil {
					t.Fatal(err)
				}
				d := material.Parse(material.Input{Data: data})
				if d.Signer() == nil || !material.SamePublicKey(d.Signer().Public(), made.Set.Pairs["clients/client"].Leaf().PublicKey) {
					t.Errorf("the key that was written is not read back: %+v", d.Problems)
				}
				hand := handed(t, made, t.TempDir())
				again := plan.Default(profile)
				ca := hand["routes/ca"]
				again.Components["routes"] = plan.Component{Mode: topology.BringCA, CA: &ca}
				again.Components["clients"] = plan.Component{Mode: topology.BringCerts, Certs: map[string]plan.Files{"ca": hand["clients/ca"], "server": hand["clients/server"], "client": hand["clients/client"]}}
				if h == topology.Intermediates {
					return // the CAs have a root above them there, and are brought with it elsewhere
				}
				w2 := world(t)
				w2.Catalogue = own{profile}
				answers, err = install.NewAnswers(w2.Catalogue, again)
				if err != nil {
					t.Fatal(err)
				}
				brought, err := install.Prepare(t.Context(), w2, answers, nil, nil)
				if err != nil {
					t.Fatal(err)
				}
				if failed := prove.Failed(brought.Handshakes); len(failed) > 0 {
					t.Errorf("%+v", failed[0])
				}
				for _, f := range brought.Findings {
					t.Errorf("%s %s: %s", f.Rule, f.Slot, f.Message)
				}
				if k := brought.Set.Pairs["routes/server"].Leaf().PublicKeyAlgorithm; k != x509.MLDSA {
					t.Errorf("a leaf under the ML-DSA CA has a key of %s", k)
				}
			})
		}
	}
}
