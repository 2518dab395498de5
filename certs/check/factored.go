package check

import (
	"crypto/rsa"
	"fmt"
	"math/big"
	"slices"
	"sync"
)

// factored says how the modulus of an RSA key can be taken apart by anybody, ""
// when none of the known ways leads there: a small factor, two primes so close
// that Fermat's method finds them, or the structure that Infineon's library gave
// its primes (CVE-2017-15361, "ROCA": Nemec et al., The Return of Coppersmith's
// Attack). It takes some tens of microseconds.
func factored(k *rsa.PublicKey) string {
	left := remainders(k.N)
	if i := slices.Index(left, 0); i >= 0 {
		return fmt.Sprintf("its modulus is divisible by %d", smallPrimes()[i])
	}
	if closePrimes(k.N) {
		return "its two primes lie so close together that they are found at once"
	}
	if infineon(k.N.BitLen(), left) {
		return "it was made by the library of Infineon that CVE-2017-15361 (ROCA) is about, whose keys can be factored"
	}
	return ""
}

// smallPrimes are those below 1000: what a broken generator leaves. They are
// enough for infineon, which wants 225.
var smallPrimes = sync.OnceValue(func() []uint64 {
	var primes []uint64
next:
	for n := uint64(2); len(primes) < 225 || n < 1000; n++ {
		for _, p := range primes {
			if n%p == 0 {
				continue next
			}
		}
		primes = append(primes, n)
	}
	return primes
})

// remainders are what a number leaves of each of the first primes. They are
// worked out for the products of several primes first, which fit a word.
func remainders(n *big.Int) []uint64 {
	primes := smallPrimes()
	out := make([]uint64, len(primes))
	for from := 0; from < len(primes); {
		product, to := uint64(1), from
		for to < len(primes) && product*primes[to] < 1<<63/1000 {
			product *= primes[to]
			to++
		}
		r := remainder(n, product)
		for ; from < to; from++ {
			out[from] = r % primes[from]
		}
	}
	return out
}

func remainder(n *big.Int, m uint64) uint64 {
	var r big.Int
	return r.Mod(n, r.SetUint64(m)).Uint64()
}

// fermatRounds finds primes that differ by less than about 2^(bits/4+4): the keys
// that were found in the wild take one round, and good ones 2^500.
const fermatRounds = 100

// closePrimes looks for a with a*a-n a square: then n = (a-b)(a+b).
func closePrimes(n *big.Int) bool {
	if n.BitLen() < 64 || n.Bit(0) == 0 {
		return false
	}
	a := new(big.Int).Sqrt(n)
	rest := new(big.Int).Mul(a, a)
	rest.Sub(rest, n) // not above 0, and 0 when n is a square itself
	root, step := new(big.Int), new(big.Int)
	for range fermatRounds {
		if rest.Sign() >= 0 && maybeSquare(rest) {
			if root.Sqrt(rest); step.Mul(root, root).Cmp(rest) == 0 {
				return true
			}
		}
		step.Lsh(a, 1) // (a+1)^2 = a^2 + 2a + 1
		rest.Add(rest, step).Add(rest, one)
		a.Add(a, one)
	}
	return false
}

var one = big.NewInt(1)

// maybeSquare rules nearly all numbers out by what they leave of a few others:
// a square root costs a hundred times as much.
func maybeSquare(n *big.Int) bool {
	r := remainder(n, 64*63*65*11*17*19*23)
	for m, squares := range squaresOf() {
		if !squares[r%m] {
			return false
		}
	}
	return true
}

var squaresOf = sync.OnceValue(func() map[uint64][]bool {
	out := map[uint64][]bool{}
	for _, m := range []uint64{64, 63, 65, 11, 17, 19, 23} {
		out[m] = make([]bool, m)
		for i := range m {
			out[m][i*i%m] = true
		}
	}
	return out
})

// infineon says whether the modulus is a power of 65537 modulo each of the first
// primes, as the product of two primes of that library always is. How many primes
// went into them depends on the size of the key; that a good key of 2048 bits
// passes by chance is far less likely than 2^-100.
func infineon(bits int, left []uint64) bool {
	count := 39
	switch {
	case bits >= 3968:
		count = 225
	case bits >= 1984:
		count = 126
	case bits >= 992:
		count = 71
	}
	for i, p := range smallPrimes()[:count] {
		if !powerOf65537(left[i], p) {
			return false
		}
	}
	return true
}

func powerOf65537(r, p uint64) bool {
	for at := uint64(1); ; {
		if at == r {
			return true
		}
		if at = at * (65537 % p) % p; at <= 1 { // round once, or 65537 is the prime itself
			return false
		}
	}
}
