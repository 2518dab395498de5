package material

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/asn1"
	"errors"
	"fmt"
	"hash"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// pfx is the outer structure of a container.
type pfx struct {
	safe   cryptobyte.String // the octets that the MAC is over
	hasMAC bool
	mac    algorithm
	digest []byte
	salt   []byte
	rounds int
}

var errPFX = fmt.Errorf("%w: its structure does not parse", ErrDamaged)

func readPFX(der []byte) (*pfx, error) {
	in := cryptobyte.String(der)
	var seq, content cryptobyte.String
	var version int
	if !in.ReadASN1(&seq, cbasn1.SEQUENCE) || !seq.ReadASN1Integer(&version) || version != 3 {
		return nil, errPFX
	}
	oid, content, ok := readContentInfo(&seq)
	if !ok {
		return nil, errPFX
	}
	if !oid.Equal(oidData) {
		return nil, fmt.Errorf("%w: it is signed with a key instead of a passphrase", ErrUnsupported)
	}
	f := &pfx{rounds: 1}
	if !content.ReadASN1(&f.safe, cbasn1.OCTET_STRING) {
		return nil, errPFX
	}
	if seq.Empty() {
		return f, nil
	}
	f.hasMAC = true
	var mac, info, digest, salt cryptobyte.String
	if !seq.ReadASN1(&mac, cbasn1.SEQUENCE) || !mac.ReadASN1(&info, cbasn1.SEQUENCE) {
		return nil, errPFX
	}
	if f.mac, ok = readAlgorithm(&info); !ok || !info.ReadASN1(&digest, cbasn1.OCTET_STRING) ||
		!mac.ReadASN1(&salt, cbasn1.OCTET_STRING) || len(salt) > maxSalt {
		return nil, errPFX
	}
	f.digest, f.salt = digest, salt
	if !mac.Empty() {
		var err error
		if f.rounds, err = readCount(&mac); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// readContentInfo reads a ContentInfo: what it is, and its content without the
// explicit tag.
func readContentInfo(in *cryptobyte.String) (oid asn1.ObjectIdentifier, content cryptobyte.String, ok bool) {
	var seq cryptobyte.String
	if !in.ReadASN1(&seq, cbasn1.SEQUENCE) || !seq.ReadASN1ObjectIdentifier(&oid) {
		return nil, nil, false
	}
	ok = seq.ReadASN1(&content, cbasn1.Tag(0).ContextSpecific().Constructed())
	return oid, content, ok
}

// open checks the MAC and takes all bags out.
func (f *pfx) open(pw *password, b *budget) (*container, error) {
	var c container
	if f.hasMAC {
		sum, err := f.sum(pw, b)
		if err != nil {
			return nil, err
		}
		if !hmac.Equal(sum, f.digest) {
			// A passphrase that opens what is inside is the right one.
			if err := c.safes(f.safe, pw, b); err == nil && slices.ContainsFunc(c.keys, func(k containerKey) bool { return k.encrypted }) {
				c.clear()
				return nil, damaged("the passphrase fits, and the check sum does not")
			}
			c.clear()
			return nil, ErrPassphrase
		}
	}
	if err := c.safes(f.safe, pw, b); err != nil {
		c.clear()
		if f.hasMAC && errors.Is(err, ErrPassphrase) {
			// The MAC proved the passphrase.
			return nil, fmt.Errorf("%w: it is encrypted with another passphrase inside, or damaged", ErrUnsupported)
		}
		return nil, err
	}
	return &c, nil
}

// macHashes are the hashes of a PKCS#12 MAC.
var macHashes = map[string]func() hash.Hash{
	"1.3.14.3.2.26":          sha1.New,
	"2.16.840.1.101.3.4.2.4": sha256.New224,
	"2.16.840.1.101.3.4.2.1": sha256.New,
	"2.16.840.1.101.3.4.2.2": sha512.New384,
	"2.16.840.1.101.3.4.2.3": sha512.New,
}

// sum computes the container's MAC under a password.
func (f *pfx) sum(pw *password, b *budget) ([]byte, error) {
	if f.mac.oid.String() == oidPBMAC1 {
		return f.pbmac1(pw, b)
	}
	h, ok := macHashes[f.mac.oid.String()]
	if !ok {
		return nil, unsupported("check sum", f.mac.oid)
	}
	if err := affordable(f.rounds, 1); err != nil {
		return nil, err
	}
	if err := b.spend(f.rounds, 1); err != nil {
		return nil, err
	}
	key := pkcs12KDF(h, pw.bmp, f.salt, f.rounds, 3, h().Size())
	defer clear(key)
	m := hmac.New(h, key)
	m.Write(f.safe)
	return m.Sum(nil), nil
}

// pbmac1 is RFC 9579.
func (f *pfx) pbmac1(pw *password, b *budget) ([]byte, error) {
	params := f.mac.params
	var seq cryptobyte.String
	if !params.ReadASN1(&seq, cbasn1.SEQUENCE) {
		return nil, errPFX
	}
	kdf, ok1 := readAlgorithm(&seq)
	mac, ok2 := readAlgorithm(&seq)
	if !ok1 || !ok2 {
		return nil, errPFX
	}
	h, ok := prfs[mac.oid.String()]
	if !ok {
		return nil, unsupported("check sum", mac.oid)
	}
	if kdf.oid.String() != oidPBKDF2 {
		return nil, unsupported("key derivation of the check sum", kdf.oid)
	}
	derive, err := readPBKDF2(kdf.params, h().Size(), b)
	if err != nil {
		return nil, err
	}
	key, err := derive(pw.utf8)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	m := hmac.New(h, key)
	m.Write(f.safe)
	return m.Sum(nil), nil
}

// safes reads an AuthenticatedSafe: a list of parts, each encrypted or not.
func (c *container) safes(octets []byte, pw *password, b *budget) error {
	der, err := toDER(octets) // the check sum is over what stood there
	if err != nil {
		return errPFX
	}
	data := cryptobyte.String(der)
	var list cryptobyte.String
	if !data.ReadASN1(&list, cbasn1.SEQUENCE) {
		return errPFX
	}
	for !list.Empty() {
		oid, content, ok := readContentInfo(&list)
		if !ok {
			return errPFX
		}
		var bags []byte
		switch {
		case oid.Equal(oidData):
			var octets cryptobyte.String
			if !content.ReadASN1(&octets, cbasn1.OCTET_STRING) {
				return errPFX
			}
			bags = octets
		case oid.Equal(oidEncryptedData):
			plain, err := openEncryptedData(content, pw, b)
			if err != nil {
				return err
			}
			bags = plain
		default:
			return fmt.Errorf("%w: a part of it is encrypted to a certificate", ErrUnsupported)
		}
		if bags, err = toDER(bags); err != nil {
			return errPFX
		}
		if err := c.contents(bags, pw, b, 0); err != nil {
			return err
		}
	}
	return nil
}

// openEncryptedData decrypts an EncryptedData (RFC 5652 section 8).
func openEncryptedData(content cryptobyte.String, pw *password, b *budget) ([]byte, error) {
	var seq, info, data cryptobyte.String
	if !content.ReadASN1(&seq, cbasn1.SEQUENCE) || !seq.SkipASN1(cbasn1.INTEGER) ||
		!seq.ReadASN1(&info, cbasn1.SEQUENCE) || !info.SkipASN1(cbasn1.OBJECT_IDENTIFIER) {
		return nil, errPFX
	}
	a, ok := readAlgorithm(&info)
	if !ok {
		return nil, errPFX
	}
	tag := cbasn1.Tag(0).ContextSpecific()
	switch {
	case info.PeekASN1Tag(tag):
		if !info.ReadASN1(&data, tag) {
			return nil, errPFX
		}
	case info.PeekASN1Tag(tag.Constructed()): // BER: in pieces
		var pieces, piece cryptobyte.String
		if !info.ReadASN1(&pieces, tag.Constructed()) {
			return nil, errPFX
		}
		for !pieces.Empty() {
			if !pieces.ReadASN1(&piece, cbasn1.OCTET_STRING) {
				return nil, errPFX
			}
			data = append(data, piece...)
		}
	default:
		return nil, errPFX
	}
	derive, scheme, err := pbe(a, b)
	if err != nil {
		return nil, err
	}
	if err := checkCiphertext(data, scheme); err != nil {
		return nil, err
	}
	key, iv, err := derive(pw)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	return decryptCBC(scheme, key, iv, data, func(plain []byte) bool {
		length, header := announcedLength(plain)
		// A sequence of about this length that begins with a bag or is empty.
		return header > 0 && plain[0] == 0x30 && length+header <= len(plain) && length+header+16 >= len(plain) &&
			(length == 0 || len(plain) > header && plain[header] == 0x30)
	})
}

// contents reads a SafeContents: a list of bags.
func (c *container) contents(data cryptobyte.String, pw *password, b *budget, depth int) error {
	var list cryptobyte.String
	if depth > maxDepth || !data.ReadASN1(&list, cbasn1.SEQUENCE) {
		return errPFX
	}
	for !list.Empty() {
		if c.bags++; c.bags > MaxBlocks {
			return fmt.Errorf("%w: it has more than %d parts", ErrCost, MaxBlocks)
		}
		var bag, value cryptobyte.String
		var oid asn1.ObjectIdentifier
		if !list.ReadASN1(&bag, cbasn1.SEQUENCE) || !bag.ReadASN1ObjectIdentifier(&oid) ||
			!bag.ReadASN1(&value, cbasn1.Tag(0).ContextSpecific().Constructed()) {
			return errPFX
		}
		if err := c.bag(oid.String(), value, pw, b, depth); err != nil {
			return err
		}
	}
	return nil
}

// bag reads one bag; those of other kinds are skipped.
func (c *container) bag(oid string, value cryptobyte.String, pw *password, b *budget, depth int) error {
	switch oid {
	case oidKeyBag:
		c.keys = append(c.keys, containerKey{slices.Clone(value), false})
	case oidShroudedBag:
		plain, err := openShrouded(value, pw, b)
		if err != nil {
			return err
		}
		c.keys = append(c.keys, containerKey{plain, true})
	case oidCertBag:
		var seq, wrapped, der cryptobyte.String
		var form asn1.ObjectIdentifier
		if !value.ReadASN1(&seq, cbasn1.SEQUENCE) || !seq.ReadASN1ObjectIdentifier(&form) {
			return errPFX
		}
		if form.String() != oidX509CertType {
			return nil
		}
		if !seq.ReadASN1(&wrapped, cbasn1.Tag(0).ContextSpecific().Constructed()) || !wrapped.ReadASN1(&der, cbasn1.OCTET_STRING) {
			return errPFX
		}
		c.certs = append(c.certs, der)
	case oidCRLBag:
		c.crls++
	case oidSafeBag:
		return c.contents(value, pw, b, depth+1)
	}
	return nil
}
