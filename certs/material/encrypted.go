package material

import (
	"bytes"
	"crypto"
	"crypto/cipher"
	"crypto/md5" // what old keys were encrypted with; nothing is trusted to it
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// What can be wrong with an encrypted key or container, for errors.Is.
var (
	// ErrNoPassphrase: it is encrypted and no passphrase was given.
	ErrNoPassphrase = errors.New("no passphrase was given")
	// ErrPassphrase: the passphrase does not open it.
	ErrPassphrase = errors.New("the passphrase does not open it")
	// ErrUnsupported: the scheme of its encryption is not one that is read here.
	ErrUnsupported = errors.New("its encryption is not supported")
	// ErrDamaged: it is damaged, and no passphrase would open it.
	ErrDamaged = errors.New("it is damaged")
	// ErrCost: opening it would take more work or memory than is allowed.
	ErrCost = errors.New("opening it would cost too much")
)

// encryptedKey reads a PKCS#8 EncryptedPrivateKeyInfo.
func (p *parser) encryptedKey(b block) {
	p.opened(b, "an encrypted PKCS#8 key", func() ([]byte, error) {
		return openPKCS8(b.der, p.passphrase, &p.budget)
	})
}

// legacyKey reads a key under the header DEK-Info (RFC 1421), as openssl wrote
// them before version 1.0.
func (p *parser) legacyKey(b block) {
	p.opened(b, "an encrypted key of the old DEK-Info form", func() ([]byte, error) {
		return openLegacy(b, p.passphrase)
	})
}

// opened records an encrypted key, opened or not.
func (p *parser) opened(b block, what string, open func() ([]byte, error)) {
	k := Key{Label: b.label, Line: p.at(b.line), Encrypted: true, Source: p.source}
	pr := Problem{Rule: ruleEncrypted, Line: b.line}
	plain, err := open()
	defer clear(plain)
	if err == nil {
		var inner Problem
		if k.Signer, inner = p.readKey(plain); k.Signer == nil {
			// It decrypted to a key, of a kind that nobody takes or damaged.
			pr = inner
			pr.Line, pr.Detail = b.line, "behind its encryption: "+inner.Detail
		}
	}
	p.doc.Keys = append(p.doc.Keys, k)
	pr.Key = len(p.doc.Keys)
	switch {
	case errors.Is(err, ErrDamaged):
		pr.Rule = ruleMalformedKey
		fallthrough
	case err != nil:
		pr.Err, pr.Detail = class(err), what+": "+err.Error()
	case k.Signer != nil:
		pr.Rescued, pr.Detail = true, what+", which the passphrase opened"
	}
	p.problem(pr)
}

// class is the exported error that err belongs to.
func class(err error) error {
	for _, c := range []error{ErrNoPassphrase, ErrPassphrase, ErrUnsupported, ErrDamaged, ErrCost} {
		if errors.Is(err, c) {
			return c
		}
	}
	return nil
}

// Decrypt opens one encrypted private key: a PKCS#8 EncryptedPrivateKeyInfo
// (PBES2 or PBES1). The error is of class ErrNoPassphrase, ErrPassphrase,
// ErrUnsupported, ErrDamaged or ErrCost. Keys under a DEK-Info header and
// containers are for Parse.
func Decrypt(der, passphrase []byte) (crypto.Signer, error) {
	b := budget{left: maxWork}
	plain, err := openPKCS8(der, passphrase, &b)
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	signer, problem := readKey(plain)
	switch {
	case signer != nil:
		return signer, nil
	case problem.Rule == ruleMalformedKey:
		return nil, fmt.Errorf("%w: %s", ErrDamaged, problem.Detail)
	}
	return nil, fmt.Errorf("%w: %s", ErrUnsupported, problem.Detail)
}

// legacyCiphers are the names that DEK-Info uses.
var legacyCiphers = map[string]cipherScheme{
	"DES-CBC":      desCBC,
	"DES-EDE3-CBC": tripleDESCBC,
	"AES-128-CBC":  aes128CBC,
	"AES-192-CBC":  aes192CBC,
	"AES-256-CBC":  aes256CBC,
}

// openLegacy decrypts a block with DEK-Info. Its padding is the only check
// there is, and one wrong passphrase in 256 passes it, so it must also look
// like a key.
func openLegacy(b block, passphrase []byte) ([]byte, error) {
	name, ivText, _ := strings.Cut(b.headers["DEK-Info"], ",")
	name = strings.ToUpper(strings.TrimSpace(name))
	scheme, ok := legacyCiphers[name]
	if !ok {
		if name == "" {
			return nil, fmt.Errorf("%w: the header DEK-Info is missing", ErrDamaged)
		}
		return nil, fmt.Errorf("%w: the cipher %s", ErrUnsupported, quote(name))
	}
	iv, err := hex.DecodeString(strings.TrimSpace(ivText))
	if err != nil || len(iv) != scheme.block {
		return nil, fmt.Errorf("%w: the header DEK-Info has no initialization vector of %d octets", ErrDamaged, scheme.block)
	}
	if err := checkCiphertext(b.der, scheme); err != nil {
		return nil, err
	}
	if len(passphrase) == 0 {
		return nil, ErrNoPassphrase
	}
	key := bytesToKey(passphrase, iv[:8], scheme.key)
	defer clear(key)
	return decryptCBC(scheme, key, iv, b.der, startsLikeKey)
}

// bytesToKey is OpenSSL's EVP_BytesToKey with MD5 and one round.
func bytesToKey(passphrase, salt []byte, size int) []byte {
	var key, last []byte
	for len(key) < size {
		h := md5.New()
		h.Write(last)
		h.Write(passphrase)
		h.Write(salt)
		last = h.Sum(nil)
		key = append(key, last...)
	}
	return key[:size]
}

// checkCiphertext judges the length of what is to be decrypted.
func checkCiphertext(data []byte, scheme cipherScheme) error {
	if len(data) == 0 || len(data)%scheme.block != 0 {
		return fmt.Errorf("%w: %d octets of encrypted data are no multiple of the cipher's block of %d", ErrDamaged, len(data), scheme.block)
	}
	return nil
}

// sureOfPadding is the padding, in octets, that nobody's wrong passphrase makes
// by chance: once in 2^32 times.
const sureOfPadding = 4

// decryptCBC decrypts and takes the padding off (RFC 8018 section 6.1.1). like
// says whether what came out begins as it should. Padding and beginning both
// wrong mean a wrong passphrase; one of them right, against all odds, means
// that the passphrase fits and the data is damaged.
func decryptCBC(scheme cipherScheme, key, iv, data []byte, like func([]byte) bool) ([]byte, error) {
	if len(iv) != scheme.block {
		return nil, damaged(fmt.Sprintf("its initialization vector has %d octets, not %d", len(iv), scheme.block))
	}
	if err := checkCiphertext(data, scheme); err != nil {
		return nil, err
	}
	b, err := scheme.new(key)
	if err != nil {
		return nil, damaged(fmt.Sprintf("%d octets of key", len(key)))
	}
	plain := make([]byte, len(data))
	cipher.NewCBCDecrypter(b, iv).CryptBlocks(plain, data)
	pad := int(plain[len(plain)-1])
	padded := pad > 0 && pad <= scheme.block && bytes.Count(plain[len(plain)-pad:], []byte{byte(pad)}) == pad
	switch begins := like(plain); {
	case padded && begins:
		return plain[:len(plain)-pad], nil
	case begins, padded && pad >= sureOfPadding:
		clear(plain)
		return nil, damaged("the passphrase fits, and the encrypted data does not hold together")
	}
	clear(plain)
	return nil, ErrPassphrase
}

// startsLikeKey says whether data begins as PKCS#8, PKCS#1 and SEC 1 do: a
// sequence of about this length, then a version of 0 or 1. Random bytes do so
// once in 2^32 times.
func startsLikeKey(data []byte) bool {
	length, header := announcedLength(data)
	if header == 0 || data[0] != 0x30 || len(data) < header+3 {
		return false
	}
	total := length + header
	version := data[header : header+3]
	return total <= len(data) && total+16 >= len(data) && version[0] == 2 && version[1] == 1 && version[2] <= 1
}
