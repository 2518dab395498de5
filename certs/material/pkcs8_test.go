package material

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"math/big"
	"testing"
)

// Keys are written as crypto/x509 writes them, byte for byte.
func TestPKCS8(t *testing.T) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	keys := []crypto.Signer{ed, rsaKey}
	for _, curve := range []elliptic.Curve{elliptic.P224(), elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		for range 50 { // some of them begin with a zero
			k, err := ecdsa.GenerateKey(curve, rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			keys = append(keys, k)
		}
		k, err := ecdsa.ParseRawPrivateKey(curve, big.NewInt(3).FillBytes(make([]byte, (curve.Params().BitSize+7)/8)))
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, k)
	}
	for _, k := range keys {
		want, err := x509.MarshalPKCS8PrivateKey(k)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // clearing what was made leaves the key alone
			got, err := PKCS8(k)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: %v\ngot  %x\nwant %x", KeyWords(k.Public()), err, got, want)
			}
			clear(got)
		}
	}
	for _, wrong := range []crypto.Signer{nil, &ecdsa.PrivateKey{}} {
		if got, err := PKCS8(wrong); err == nil {
			t.Errorf("%v is written as %x", wrong, got)
		}
	}
}

func BenchmarkPKCS8(b *testing.B) {
	for name, encode := range map[string]func(crypto.Signer) ([]byte, error){
		"ours": PKCS8,
		"x509": func(k crypto.Signer) ([]byte, error) { return x509.MarshalPKCS8PrivateKey(k) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			keys := make([]*ecdsa.PrivateKey, 1000)
			for i := range keys {
				var err error
				if keys[i], err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
					b.Fatal(err)
				}
			}
			i := 0
			for b.Loop() {
				if _, err := encode(keys[i%len(keys)]); err != nil {
					b.Fatal(err)
				}
				i++
			}
		})
	}
}
