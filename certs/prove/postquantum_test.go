package prove

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"strings"
	"testing"

	"certwright/certs"
)

// A build that knows no ML-DSA says so, and does not ask for a key that is there.
func TestAnMLDSACertificateIsNotProvedHere(t *testing.T) {
	data, err := os.ReadFile("../material/testdata/mldsa/ml-dsa-44-leaf.crt")
	if err != nil {
		t.Fatal(err)
	}
	b, _ := pem.Decode(data)
	c, err := x509.ParseCertificate(b.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if c.PublicKey != nil {
		t.Skip("this build knows ML-DSA")
	}
	set := issued(t, worldOf(t, "nats", nil))
	set.Pairs["clients/server"] = &certs.Pair{Certificates: []*x509.Certificate{c}}
	hs, err := Edges(t.Context(), Input{Set: set, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	failed := Failed(hs)
	if len(failed) == 0 {
		t.Fatal("it was proved")
	}
	for _, h := range failed {
		if h.Blame != "clients/server" || h.Error != "tls: unknown public key algorithm" || !strings.Contains(h.Problem, "ML-DSA") || !strings.Contains(h.Fix, "-tags mldsa") {
			t.Errorf("%+v", h)
		}
	}
}
