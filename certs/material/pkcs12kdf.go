package material

import (
	"bytes"
	"hash"
	"math/big"
	"unicode/utf16"
	"unicode/utf8"
)

// bmpPassword is the passphrase as PKCS#12 has it: UTF-16, big end first,
// with two zero octets behind it (RFC 7292 appendix B.1). What is not UTF-8 is
// taken for Latin-1, as OpenSSL before 1.1 did.
func bmpPassword(passphrase []byte) []byte {
	out := make([]byte, 0, 2*len(passphrase)+2)
	if utf8.Valid(passphrase) {
		for _, u := range utf16.Encode([]rune(string(passphrase))) {
			out = append(out, byte(u>>8), byte(u))
		}
	} else {
		for _, b := range passphrase {
			out = append(out, 0, b)
		}
	}
	return append(out, 0, 0)
}

// pkcs12KDF derives size octets for the purpose id: 1 for a key, 2 for an
// initialization vector, 3 for a MAC key (RFC 7292 appendix B.2). The names u,
// v, D, I, A and B are the RFC's.
func pkcs12KDF(h func() hash.Hash, password, salt []byte, rounds int, id byte, size int) []byte {
	d := h()
	u, v := d.Size(), d.BlockSize()
	diversifier := bytes.Repeat([]byte{id}, v)
	input := append(fill(salt, v), fill(password, v)...)
	defer clear(input)
	var out []byte
	for {
		d.Reset()
		d.Write(diversifier)
		d.Write(input)
		a := d.Sum(nil)
		for range rounds - 1 {
			d.Reset()
			d.Write(a)
			a = d.Sum(a[:0])
		}
		out = append(out, a...)
		if len(out) >= size {
			return out[:size]
		}
		// Each block of I becomes I + B + 1 modulo 2^(8v).
		b := new(big.Int).SetBytes(fill(a[:u], v)[:v])
		b.Add(b, big.NewInt(1))
		modulus := new(big.Int).Lsh(big.NewInt(1), uint(8*v))
		for i := 0; i < len(input); i += v {
			n := new(big.Int).SetBytes(input[i : i+v])
			n.Add(n, b).Mod(n, modulus).FillBytes(input[i : i+v])
		}
	}
}

// fill repeats data until it is a multiple of v octets long; nothing stays
// nothing.
func fill(data []byte, v int) []byte {
	if len(data) == 0 {
		return nil
	}
	n := (len(data) + v - 1) / v * v
	return bytes.Repeat(data, n/len(data)+1)[:n]
}
