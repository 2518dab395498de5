package issue

import "math/big"

// The tags of X.690 that a leaf has.
const (
	tagBoolean         = 0x01
	tagInteger         = 0x02
	tagBitString       = 0x03
	tagOctetString     = 0x04
	tagOID             = 0x06
	tagPrintable       = 0x13
	tagUTCTime         = 0x17
	tagGeneralizedTime = 0x18
	sequence           = 0x30
	tagSet             = 0x31
	tagged             = 0x80 // of a context, plus its number
)

// element adds an element of DER: the tag, the length of what content adds, and
// that. Unlike cryptobyte it allocates nothing for each, of which a leaf has fifty.
func element(b []byte, tag byte, content func([]byte) []byte) []byte {
	b = append(b, tag, 0)
	at := len(b)
	b = content(b)
	n := len(b) - at
	if n < 128 {
		b[at-1] = byte(n)
		return b
	}
	var octets [8]byte // of the length, which does not fit into the byte that was left for it
	first := len(octets)
	for rest := n; rest > 0; rest >>= 8 {
		first--
		octets[first] = byte(rest)
	}
	long := octets[first:]
	b = append(b, long...)
	copy(b[at+len(long):], b[at:at+n])
	copy(b[at:], long)
	b[at-1] = 0x80 | byte(len(long))
	return b
}

func appendElement(b []byte, tag byte, content []byte) []byte {
	return element(b, tag, func(b []byte) []byte { return append(b, content...) })
}

// appendBits adds a BIT STRING of whole bytes.
func appendBits(b, content []byte) []byte {
	return element(b, tagBitString, func(b []byte) []byte { return append(append(b, 0), content...) })
}

// appendInteger adds a positive number.
func appendInteger(b []byte, n *big.Int) []byte {
	return element(b, tagInteger, func(b []byte) []byte {
		content := n.Bytes()
		if content[0] >= 0x80 {
			b = append(b, 0)
		}
		return append(b, content...)
	})
}
