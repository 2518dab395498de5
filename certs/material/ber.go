package material

import "errors"

// maxNesting bounds how deep BER may nest; PKCS#12 and PKCS#7 need about ten.
const maxNesting = 16

var errBER = errors.New("not BER")

// toDER turns BER, which Windows, NSS and Bouncy Castle write containers in,
// into DER as far as reading needs it: lengths become definite, and strings in
// pieces become whole. What is not BER is an error.
func toDER(data []byte) ([]byte, error) {
	if isDER(data, 0) {
		return data, nil
	}
	out, rest, err := convertBER(data, 0)
	if err != nil {
		return nil, err
	}
	if len(rest) > 0 {
		return append(out, rest...), nil // the caller knows what to say of it
	}
	return out, nil
}

// isDER says whether data is elements that need no converting.
func isDER(data []byte, depth int) bool {
	for len(data) > 0 {
		h, body, err := readBERHeader(data)
		if err != nil || depth > maxNesting || h.indefinite || h.tag[0] == 0x24 {
			return false
		}
		if size := len(data) - len(body); size != len(h.tag)+lengthOctets(h.length) {
			return false
		}
		if h.constructed && !isDER(body[:h.length], depth+1) {
			return false
		}
		data = body[h.length:]
	}
	return true
}

// lengthOctets is how many octets DER writes a length in.
func lengthOctets(n int) int {
	size := 1
	if n >= 0x80 {
		for ; n > 0; n >>= 8 {
			size++
		}
	}
	return size
}

// berHeader is the beginning of a BER element.
type berHeader struct {
	tag         []byte
	constructed bool
	length      int
	indefinite  bool
}

func readBERHeader(data []byte) (h berHeader, rest []byte, err error) {
	if len(data) < 2 {
		return h, nil, errBER
	}
	h.constructed = data[0]&0x20 != 0
	n := 1
	if data[0]&0x1f == 0x1f {
		for n < len(data) && data[n]&0x80 != 0 {
			n++
		}
		n++
	}
	if n >= len(data) || n > 5 {
		return h, nil, errBER
	}
	h.tag, rest = data[:n], data[n:]
	first := rest[0]
	rest = rest[1:]
	switch {
	case first == 0x80:
		if !h.constructed {
			return h, nil, errBER
		}
		h.indefinite = true
		return h, rest, nil
	case first < 0x80:
		h.length = int(first)
	default:
		n := int(first &^ 0x80)
		if n > 4 || n > len(rest) {
			return h, nil, errBER
		}
		for _, b := range rest[:n] {
			h.length = h.length<<8 | int(b)
		}
		rest = rest[n:]
	}
	if h.length < 0 || h.length > len(rest) {
		return h, nil, errBER
	}
	return h, rest, nil
}

// convertBER converts the first element of data.
func convertBER(data []byte, depth int) (der, rest []byte, err error) {
	if depth > maxNesting {
		return nil, nil, errBER
	}
	h, body, err := readBERHeader(data)
	if err != nil {
		return nil, nil, err
	}
	if !h.constructed {
		return appendElement(nil, h.tag, body[:h.length]), body[h.length:], nil
	}
	if !h.indefinite {
		rest = body[h.length:]
		body = body[:h.length]
	}
	// An octet string in pieces: its pieces' contents are its own.
	pieces := h.tag[0] == 0x24
	var content []byte
	for {
		if h.indefinite && len(body) >= 2 && body[0] == 0 && body[1] == 0 {
			rest = body[2:]
			break
		}
		if len(body) == 0 {
			if h.indefinite {
				return nil, nil, errBER
			}
			break
		}
		var one []byte
		if one, body, err = convertBER(body, depth+1); err != nil {
			return nil, nil, err
		}
		if pieces {
			inner, value, err := readBERHeader(one)
			if err != nil || inner.tag[0] != 0x04 {
				return nil, nil, errBER
			}
			one = value[:inner.length]
		}
		content = append(content, one...)
	}
	tag := h.tag
	if pieces {
		tag = []byte{0x04}
	}
	return appendElement(nil, tag, content), rest, nil
}

// appendElement appends a DER element.
func appendElement(out, tag, content []byte) []byte {
	out = append(out, tag...)
	n := len(content)
	switch {
	case n < 0x80:
		out = append(out, byte(n))
	case n < 1<<8:
		out = append(out, 0x81, byte(n))
	case n < 1<<16:
		out = append(out, 0x82, byte(n>>8), byte(n))
	case n < 1<<24:
		out = append(out, 0x83, byte(n>>16), byte(n>>8), byte(n))
	default:
		out = append(out, 0x84, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	return append(out, content...)
}
