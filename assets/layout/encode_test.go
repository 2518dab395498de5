package layout

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"testing"

	"pgregory.net/rapid"
)

// Whatever is encoded, it is what the library writes, in the space foreseen.
func TestPEMIsWhatTheLibraryWrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		label := rapid.SampledFrom([]string{"CERTIFICATE", "PRIVATE KEY", "PUBLIC KEY"}).Draw(t, "label")
		der := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "der")
		want := pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der})
		if got := appendPEM(nil, label, der); !bytes.Equal(got, want) || sizePEM(label, der) != len(want) {
			t.Fatalf("%d bytes, %d foreseen:\n%s\nwant %d:\n%s", len(got), sizePEM(label, der), got, len(want), want)
		}
		var list []*x509.Certificate
		var all []byte
		for _, raw := range rapid.SliceOfN(rapid.SliceOf(rapid.Byte()), 0, 3).Draw(t, "chain") {
			list = append(list, &x509.Certificate{Raw: raw})
			all = append(all, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})...)
		}
		if got := certificates(list...); !bytes.Equal(got, all) {
			t.Fatalf("got\n%s\nwant\n%s", got, all)
		}
	})
}
