package material

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"hash"
	"math/big"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// pbes1Scheme is one of the older schemes, whose derivation gives both the
// key and the initialization vector.
type pbes1Scheme struct {
	cipher cipherScheme
	hash   func() hash.Hash
	pkcs12 bool // derives as PKCS#12 does, not as PBKDF1
}

var pbes1Schemes = map[string]pbes1Scheme{
	"1.2.840.113549.1.5.3":    {desCBC, md5.New, false},
	"1.2.840.113549.1.5.10":   {desCBC, sha1.New, false},
	"1.2.840.113549.1.12.1.3": {tripleDESCBC, sha1.New, true},
	"1.2.840.113549.1.12.1.4": {twoKeyDESCBC, sha1.New, true},
	"1.2.840.113549.1.12.1.5": {rc2128CBC, sha1.New, true},
	"1.2.840.113549.1.12.1.6": {rc240CBC, sha1.New, true},
}

func pbes1(a algorithm, b *budget) (derivation, cipherScheme, error) {
	s, ok := pbes1Schemes[a.oid.String()]
	if !ok {
		return nil, cipherScheme{}, unsupported("scheme", a.oid)
	}
	var seq, salt cryptobyte.String
	if !a.params.ReadASN1(&seq, cbasn1.SEQUENCE) || !seq.ReadASN1(&salt, cbasn1.OCTET_STRING) || len(salt) > maxSalt {
		return nil, s.cipher, damaged("its salt does not parse")
	}
	rounds, err := readCount(&seq)
	if err != nil {
		return nil, s.cipher, err
	}
	// PKCS#12 derives key (two hashes for triple DES) and vector apart.
	cost := 1
	if s.pkcs12 {
		cost = 3
	}
	if err := affordable(rounds, cost); err != nil {
		return nil, s.cipher, err
	}
	return func(pw *password) ([]byte, []byte, error) {
		if err := b.spend(rounds, cost); err != nil {
			return nil, nil, err
		}
		if !s.pkcs12 {
			both := pbkdf1(s.hash, pw.utf8, salt, rounds)
			return both[:8], both[8:16], nil
		}
		return pkcs12KDF(s.hash, pw.bmp, salt, rounds, 1, s.cipher.key),
			pkcs12KDF(s.hash, pw.bmp, salt, rounds, 2, s.cipher.block), nil
	}, s.cipher, nil
}

// pbkdf1 is RFC 8018 section 5.1.
func pbkdf1(h func() hash.Hash, passphrase, salt []byte, rounds int) []byte {
	d := h()
	d.Write(passphrase)
	d.Write(salt)
	sum := d.Sum(nil)
	for range rounds - 1 {
		d.Reset()
		d.Write(sum)
		sum = d.Sum(sum[:0])
	}
	return sum
}

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
