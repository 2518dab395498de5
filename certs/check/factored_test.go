package check

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"math/big"
	mrand "math/rand/v2"
	"sync"
	"testing"
)

// closeModulus is the product of a prime and the next one.
var closeModulus = sync.OnceValue(func() *big.Int {
	p := must(rand.Prime(rand.Reader, 1024))
	q := new(big.Int).Add(p, big.NewInt(2))
	for !q.ProbablyPrime(20) {
		q.Add(q, big.NewInt(2))
	}
	return q.Mul(q, p)
})

var smallFactorModulus = sync.OnceValue(func() *big.Int {
	p := must(rand.Prime(rand.Reader, 2038))
	return p.Mul(p, big.NewInt(997))
})

// rocaModulus is the product of two primes k*M + 65537^a mod M, as that library
// made them, with M the product of the first 126 primes.
var rocaModulus = sync.OnceValue(func() *big.Int {
	m := big.NewInt(1)
	for _, p := range smallPrimes()[:126] {
		m.Mul(m, new(big.Int).SetUint64(p))
	}
	prime := func() *big.Int {
		low := new(big.Int).Exp(big.NewInt(65537), must(rand.Int(rand.Reader, m)), m)
		for {
			k := must(rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), uint(1024-m.BitLen()-1))))
			k.SetBit(k, 1024-m.BitLen()-1, 1)
			p := k.Mul(k, m)
			if p.Add(p, low); p.BitLen() == 1024 && p.Bit(1022) == 1 && p.ProbablyPrime(10) {
				return p
			}
		}
	}
	p := prime()
	return p.Mul(p, prime())
})

// ofModulus is a server whose key has this modulus; nobody hands the key over.
func ofModulus(n func() *big.Int) func(p *pki) files {
	return func(p *pki) files {
		leaf := p.web(p.ingress, ku(sigKU|encKU))
		bad := remade(leaf, func(t *tbs) {
			t.SPKI.FullBytes = must(x509.MarshalPKIXPublicKey(&rsa.PublicKey{N: n(), E: 65537}))
		})
		return files{cert: doc("c", bad), ca: doc("ca.pem", p.ingress)}
	}
}

func TestFactored(t *testing.T) {
	square := must(rand.Prime(rand.Reader, 1024))
	square.Mul(square, square)
	for _, c := range []struct {
		why  string
		n    *big.Int
		want string
	}{
		{"ROCA", rocaModulus(), "it was made by the library of Infineon that CVE-2017-15361 (ROCA) is about, whose keys can be factored"},
		{"close primes", closeModulus(), "its two primes lie so close together that they are found at once"},
		{"a square", square, "its two primes lie so close together that they are found at once"},
		{"a small factor", smallFactorModulus(), "its modulus is divisible by 997"},
		{"even", new(big.Int).Lsh(big.NewInt(12345), 2000), "its modulus is divisible by 2"},
		{"a good key", key("rsa:factored").Public().(*rsa.PublicKey).N, ""},
	} {
		if got := factored(&rsa.PublicKey{N: c.n, E: 65537}); got != c.want {
			t.Errorf("%s: %q, want %q", c.why, got, c.want)
		}
	}
}

// No number without such a structure is taken for one of that library, and no
// good modulus for a product of close primes.
func TestGoodModuliAreNotCalledBroken(t *testing.T) {
	random := mrand.New(mrand.NewPCG(1, 2))
	raw := make([]byte, 256)
	for range 3000 {
		for i := range raw {
			raw[i] = byte(random.Uint32())
		}
		raw[0] |= 0x80
		raw[255] |= 1
		n := new(big.Int).SetBytes(raw)
		if infineon(n.BitLen(), remainders(n)) || closePrimes(n) {
			t.Fatalf("%x is called broken", n)
		}
	}
}

func BenchmarkFactored(b *testing.B) {
	k := key("rsa:factored").Public().(*rsa.PublicKey)
	for b.Loop() {
		factored(k)
	}
}
