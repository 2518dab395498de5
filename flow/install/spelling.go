package install

import (
	"bytes"
	"encoding/base64"
)

// withoutSpace drops white space, and the \n that strings of JSON and HCL write
// for a new line.
func withoutSpace(data []byte) []byte {
	out := make([]byte, 0, len(data))
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case c == ' ' || c == '\n' || c == '\r' || c == '\t':
		case c == '\\' && i+1 < len(data) && data[i+1] == 'n':
			i++
		default:
			out = append(out, c)
		}
	}
	return out
}

// base64At is the part of the base64 of data that is the same whatever stands
// around it, when data begins that many bytes into a group of three.
func base64At(data []byte, offset int) []byte {
	data = bytes.TrimSpace(data)
	skip := (3 - offset) % 3
	data = data[min(skip, len(data)):]
	data = data[:len(data)-len(data)%3]
	out := make([]byte, base64.StdEncoding.EncodedLen(len(data)))
	base64.StdEncoding.Encode(out, data)
	return out
}
