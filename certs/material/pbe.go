package material

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/asn1"
	"fmt"
	"hash"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
	"golang.org/x/crypto/scrypt"
)

// The caps on key derivation, for all that one input holds together. They are
// read off the parameters before any work is done.
const (
	// maxWork is in rounds of a hash under HMAC. OpenSSL's default is 2048, OWASP
	// asks for 600,000 (2023), and five million take about a second.
	maxWork = 5_000_000
	// maxScryptMemory is 128·N·r, in bytes; OpenSSL itself stops at 32 MiB.
	maxScryptMemory = 256 << 20
	// maxScryptWork is N·r·p: 2^18·8 takes about a second.
	maxScryptWork = 1 << 21
	// maxSalt is in bytes; salts in use have 8 to 64.
	maxSalt = 1024
)

// budget is what is left of the work that one input may cause.
type budget struct {
	left   int // rounds
	scrypt int // N·r·p used up
}

// affordable judges the cost of one derivation by itself, before any work.
func affordable(rounds, blocks int) error {
	if rounds < 1 {
		return damaged(fmt.Sprintf("%d rounds of key derivation", rounds))
	}
	if rounds > maxWork/blocks {
		return fmt.Errorf("%w: %d rounds of key derivation, and %d are the most", ErrCost, rounds, maxWork/blocks)
	}
	return nil
}

// spend charges a derivation that is about to be done.
func (b *budget) spend(rounds, blocks int) error {
	if rounds*blocks > b.left {
		return fmt.Errorf("%w: the input's keys together need more than %d rounds of key derivation", ErrCost, maxWork)
	}
	b.left -= rounds * blocks
	return nil
}

// cipherScheme is a block cipher in CBC mode.
type cipherScheme struct {
	key, block int // sizes in bytes
	new        func(key []byte) (cipher.Block, error)
}

var (
	desCBC       = cipherScheme{8, des.BlockSize, des.NewCipher}
	tripleDESCBC = cipherScheme{24, des.BlockSize, des.NewTripleDESCipher}
	twoKeyDESCBC = cipherScheme{16, des.BlockSize, newTwoKeyDES}
	aes128CBC    = cipherScheme{16, aes.BlockSize, aes.NewCipher}
	aes192CBC    = cipherScheme{24, aes.BlockSize, aes.NewCipher}
	aes256CBC    = cipherScheme{32, aes.BlockSize, aes.NewCipher}
)

// newTwoKeyDES is triple DES whose third key is its first.
func newTwoKeyDES(key []byte) (cipher.Block, error) {
	return des.NewTripleDESCipher(append(append([]byte{}, key...), key[:8]...))
}

// Object identifiers of password-based encryption (RFC 8018, RFC 7914).
const (
	oidPBES2  = "1.2.840.113549.1.5.13"
	oidPBKDF2 = "1.2.840.113549.1.5.12"
	oidScrypt = "1.3.6.1.4.1.11591.4.11"
)

var pbes2Ciphers = map[string]cipherScheme{
	"1.3.14.3.2.7":            desCBC,
	"1.2.840.113549.3.7":      tripleDESCBC,
	"2.16.840.1.101.3.4.1.2":  aes128CBC,
	"2.16.840.1.101.3.4.1.22": aes192CBC,
	"2.16.840.1.101.3.4.1.42": aes256CBC,
}

var prfs = map[string]func() hash.Hash{
	"1.2.840.113549.2.7":  sha1.New,
	"1.2.840.113549.2.8":  sha256.New224,
	"1.2.840.113549.2.9":  sha256.New,
	"1.2.840.113549.2.10": sha512.New384,
	"1.2.840.113549.2.11": sha512.New,
	"1.2.840.113549.2.12": sha512.New512_224,
	"1.2.840.113549.2.13": sha512.New512_256,
}

// schemeNames names schemes that are met and not read.
var schemeNames = map[string]string{
	"1.2.840.113549.1.5.1":      "PBE with MD2 and DES",
	"1.2.840.113549.1.5.4":      "PBE with MD2 and RC2",
	"1.2.840.113549.1.5.6":      "PBE with MD5 and RC2",
	"1.2.840.113549.1.5.11":     "PBE with SHA-1 and RC2",
	"1.2.840.113549.1.12.1.1":   "PBE with SHA-1 and RC4-128",
	"1.2.840.113549.1.12.1.2":   "PBE with SHA-1 and RC4-40",
	"1.2.840.113549.3.2":        "RC2-CBC",
	"2.16.840.1.101.3.4.1.6":    "AES-128-GCM",
	"2.16.840.1.101.3.4.1.26":   "AES-192-GCM",
	"2.16.840.1.101.3.4.1.46":   "AES-256-GCM",
	"1.2.392.200011.61.1.1.1.2": "Camellia-128-CBC",
	"1.2.392.200011.61.1.1.1.3": "Camellia-192-CBC",
	"1.2.392.200011.61.1.1.1.4": "Camellia-256-CBC",
	"1.2.410.200046.1.1.2":      "ARIA-128-CBC",
	"1.2.410.200046.1.1.7":      "ARIA-192-CBC",
	"1.2.410.200046.1.1.12":     "ARIA-256-CBC",
	"1.2.156.10197.1.104.2":     "SM4-CBC",
	"1.2.643.7.1.1.4.2":         "HMAC with Streebog-256",
}

func unsupported(what string, oid asn1.ObjectIdentifier) error {
	name, ok := schemeNames[oid.String()]
	if !ok {
		name = oid.String()
	}
	return fmt.Errorf("%w: the %s %s", ErrUnsupported, what, name)
}

func damaged(what string) error { return fmt.Errorf("%w: %s", ErrDamaged, what) }

// algorithm is an AlgorithmIdentifier.
type algorithm struct {
	oid    asn1.ObjectIdentifier
	params cryptobyte.String
}

func readAlgorithm(in *cryptobyte.String) (a algorithm, ok bool) {
	var seq cryptobyte.String
	if !in.ReadASN1(&seq, cbasn1.SEQUENCE) || !seq.ReadASN1ObjectIdentifier(&a.oid) {
		return a, false
	}
	a.params = seq
	return a, true
}

// openPKCS8 decrypts an EncryptedPrivateKeyInfo. It works only after all that
// can be known without the passphrase has been found in order.
func openPKCS8(der, passphrase []byte, b *budget) ([]byte, error) {
	pw := newPassword(passphrase)
	defer pw.clear()
	return openShrouded(der, pw, b)
}

// openShrouded is openPKCS8 with a password in the form that PKCS#12 settled
// on. A nil password asks for everything but the opening.
func openShrouded(der []byte, pw *password, b *budget) ([]byte, error) {
	in := cryptobyte.String(der)
	var seq, data cryptobyte.String
	if !in.ReadASN1(&seq, cbasn1.SEQUENCE) {
		return nil, damaged("it is cut short: " + cutShort(der))
	}
	a, ok := readAlgorithm(&seq)
	if !ok || !seq.ReadASN1(&data, cbasn1.OCTET_STRING) || !seq.Empty() {
		return nil, damaged("its structure does not parse")
	}
	if len(data) > MaxKey {
		return nil, fmt.Errorf("%w: %d octets of encrypted key", ErrCost, len(data))
	}
	derive, scheme, err := pbe(a, b)
	if err != nil {
		return nil, err
	}
	if err := checkCiphertext(data, scheme); err != nil {
		return nil, err
	}
	if pw == nil {
		return nil, ErrNoPassphrase
	}
	key, iv, err := derive(pw)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	return decryptCBC(scheme, key, iv, data, startsLikeKey)
}

// derivation makes a key and an initialization vector of a passphrase.
type derivation func(*password) (key, iv []byte, err error)

// password is a passphrase in the two forms that derivations take.
type password struct {
	utf8 []byte // as typed: PBES2, PBKDF1
	bmp  []byte // as PKCS#12 wants it
}

// newPassword is nil for an empty passphrase: no key is encrypted with one.
func newPassword(passphrase []byte) *password {
	if len(passphrase) == 0 {
		return nil
	}
	return &password{utf8: passphrase, bmp: bmpPassword(passphrase)}
}

// clear wipes what was made of the passphrase; the passphrase is the caller's.
func (p *password) clear() {
	if p != nil {
		clear(p.bmp)
	}
}

// pbe reads a password-based encryption scheme: PBES2, or one of PBES1 and
// PKCS#12. The derivation that it returns charges its cost to b.
func pbe(a algorithm, b *budget) (derivation, cipherScheme, error) {
	if a.oid.String() == oidPBES2 {
		return pbes2(a.params, b)
	}
	return pbes1(a, b)
}

func pbes2(params cryptobyte.String, b *budget) (derivation, cipherScheme, error) {
	var seq cryptobyte.String
	if !params.ReadASN1(&seq, cbasn1.SEQUENCE) {
		return nil, cipherScheme{}, damaged("its PBES2 parameters do not parse")
	}
	kdf, ok1 := readAlgorithm(&seq)
	enc, ok2 := readAlgorithm(&seq)
	if !ok1 || !ok2 {
		return nil, cipherScheme{}, damaged("its PBES2 parameters do not parse")
	}
	scheme, ok := pbes2Ciphers[enc.oid.String()]
	if !ok {
		return nil, scheme, unsupported("cipher", enc.oid)
	}
	var iv cryptobyte.String
	if !enc.params.ReadASN1(&iv, cbasn1.OCTET_STRING) || len(iv) != scheme.block {
		return nil, scheme, damaged(fmt.Sprintf("its initialization vector has %d octets, not %d", len(iv), scheme.block))
	}
	var key func(passphrase []byte) ([]byte, error)
	var err error
	switch kdf.oid.String() {
	case oidPBKDF2:
		key, err = readPBKDF2(kdf.params, scheme.key, b)
	case oidScrypt:
		key, err = readScrypt(kdf.params, scheme.key, b)
	default:
		err = unsupported("key derivation", kdf.oid)
	}
	if err != nil {
		return nil, scheme, err
	}
	return func(pw *password) ([]byte, []byte, error) {
		k, err := key(pw.utf8)
		return k, iv, err
	}, scheme, nil
}

// readPBKDF2 reads PBKDF2-params (RFC 8018 appendix A.2).
func readPBKDF2(params cryptobyte.String, size int, b *budget) (func([]byte) ([]byte, error), error) {
	var seq, salt cryptobyte.String
	if !params.ReadASN1(&seq, cbasn1.SEQUENCE) || !seq.ReadASN1(&salt, cbasn1.OCTET_STRING) || len(salt) > maxSalt {
		return nil, damaged("its PBKDF2 salt does not parse")
	}
	rounds, err := readCount(&seq)
	if err != nil {
		return nil, err
	}
	if seq.PeekASN1Tag(cbasn1.INTEGER) {
		length, err := readCount(&seq)
		if err != nil || length != size {
			return nil, damaged(fmt.Sprintf("its PBKDF2 key length is not the %d octets of its cipher", size))
		}
	}
	prf := sha1.New // the default of RFC 8018
	if !seq.Empty() {
		a, ok := readAlgorithm(&seq)
		if !ok {
			return nil, damaged("its PBKDF2 parameters do not parse")
		}
		if prf, ok = prfs[a.oid.String()]; !ok {
			return nil, unsupported("pseudorandom function", a.oid)
		}
	}
	blocks := (size + prf().Size() - 1) / prf().Size()
	if err := affordable(rounds, blocks); err != nil {
		return nil, err
	}
	return func(passphrase []byte) ([]byte, error) {
		if err := b.spend(rounds, blocks); err != nil {
			return nil, err
		}
		key, err := pbkdf2.Key(prf, string(passphrase), salt, rounds, size)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUnsupported, err)
		}
		return key, nil
	}, nil
}

// readCount reads a positive number that fits an int32; larger ones are over
// every cap.
func readCount(in *cryptobyte.String) (int, error) {
	var number cryptobyte.String
	if !in.ReadASN1(&number, cbasn1.INTEGER) || len(number) == 0 {
		return 0, damaged("a number of its key derivation does not parse")
	}
	if number[0]&0x80 != 0 {
		return 0, damaged("a number of its key derivation is negative")
	}
	if bitLen(number) > 31 {
		return 0, fmt.Errorf("%w: a number of its key derivation has %d bits", ErrCost, bitLen(number))
	}
	n := 0
	for _, c := range number {
		n = n<<8 | int(c)
	}
	return n, nil
}

// readScrypt reads scrypt-params (RFC 7914 section 7.1).
func readScrypt(params cryptobyte.String, size int, b *budget) (func([]byte) ([]byte, error), error) {
	var seq, salt cryptobyte.String
	if !params.ReadASN1(&seq, cbasn1.SEQUENCE) || !seq.ReadASN1(&salt, cbasn1.OCTET_STRING) || len(salt) > maxSalt {
		return nil, damaged("its scrypt salt does not parse")
	}
	var figures [3]int // N, r, p
	for i := range figures {
		n, err := readCount(&seq)
		if err != nil {
			return nil, err
		}
		figures[i] = n
	}
	n, r, p := figures[0], figures[1], figures[2]
	if n < 2 || n&(n-1) != 0 || r < 1 || p < 1 {
		return nil, damaged("its scrypt parameters are out of range")
	}
	// Each factor is below 2^31, so the products are built up from quotients.
	if r > maxScryptMemory/128/n || p > maxScryptWork/(n*r) {
		return nil, fmt.Errorf("%w: scrypt with N=%d, r=%d, p=%d needs more than %d MiB or %d steps", ErrCost, n, r, p,
			maxScryptMemory>>20, maxScryptWork)
	}
	return func(passphrase []byte) ([]byte, error) {
		if b.scrypt += n * r * p; b.scrypt > maxScryptWork {
			return nil, fmt.Errorf("%w: the input's keys together need more than %d steps of scrypt", ErrCost, maxScryptWork)
		}
		key, err := scrypt.Key(passphrase, salt, n, r, p, size)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUnsupported, err)
		}
		return key, nil
	}, nil
}
