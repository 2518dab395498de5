package stepca

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"strings"
)

// errPassword is a password that opens nothing.
var errPassword = errors.New("the password is another one")

// maxRounds bounds the rounds of PBKDF2 that a key may ask for: step takes
// 600,000 today, and the number is the server's word.
const maxRounds = 10_000_000

// openJWE opens what was encrypted with a password (RFC 7516, compact form;
// RFC 7518, section 4.8), as step seals the keys of provisioners.
func openJWE(text string, password []byte) ([]byte, error) {
	parts := strings.Split(text, ".")
	if len(parts) != 5 {
		return nil, errors.New("it is no encrypted JSON in compact form")
	}
	var raw [5][]byte
	for i, p := range parts {
		b, err := base64.RawURLEncoding.DecodeString(p)
		if err != nil {
			return nil, errors.New("it is no base64")
		}
		raw[i] = b
	}
	var head struct {
		Alg    string `json:"alg"`
		Enc    string `json:"enc"`
		Zip    string `json:"zip"`
		Rounds int    `json:"p2c"`
		Salt   string `json:"p2s"`
	}
	if err := json.Unmarshal(raw[0], &head); err != nil {
		return nil, errors.New("its header is no JSON")
	}
	salt, err := base64.RawURLEncoding.DecodeString(head.Salt)
	if err != nil || len(salt) < 8 || len(salt) > 1024 {
		return nil, errors.New("its salt is none")
	}
	if head.Rounds < 1000 || head.Rounds > maxRounds {
		return nil, fmt.Errorf("it asks for %d rounds, and 1000 to %d are made", head.Rounds, maxRounds)
	}
	hashes := map[string]struct {
		new func() hash.Hash
		n   int // bytes of the key that wraps
	}{"PBES2-HS256+A128KW": {sha256.New, 16}, "PBES2-HS384+A192KW": {sha512.New384, 24}, "PBES2-HS512+A256KW": {sha512.New, 32}}
	h, ok := hashes[head.Alg]
	if !ok || head.Enc != "A256GCM" && head.Enc != "A128GCM" || head.Zip != "" {
		return nil, fmt.Errorf("it is sealed with %s and %s, and PBES2 with AES-GCM is opened", quote(head.Alg), quote(head.Enc))
	}
	kek, err := pbkdf2.Key(h.new, string(password), append([]byte(head.Alg+"\x00"), salt...), head.Rounds, h.n)
	if err != nil {
		return nil, err
	}
	cek, err := unwrap(kek, raw[1])
	clear(kek)
	if err != nil {
		return nil, err
	}
	defer clear(cek)
	return openGCM(cek, raw[2], append(raw[3], raw[4]...), []byte(parts[0]))
}

func openGCM(key, nonce, sealed, extra []byte) ([]byte, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, errors.New("its key has a length that AES does not know")
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	if len(nonce) != gcm.NonceSize() {
		return nil, errors.New("its nonce has another length than GCM's")
	}
	out, err := gcm.Open(nil, nonce, sealed, extra)
	if err != nil {
		return nil, errors.New("it was changed")
	}
	return out, nil
}

// unwrap is AES key unwrap (RFC 3394, section 2.2.2). A wrong key shows in its
// initial value.
func unwrap(kek, wrapped []byte) ([]byte, error) {
	if len(wrapped)%8 != 0 || len(wrapped) < 24 || len(wrapped) > 72 {
		return nil, errors.New("its wrapped key has a length that none has")
	}
	block, err := aes.NewCipher(kek)
	if err != nil {
		return nil, err
	}
	n := len(wrapped)/8 - 1
	a, r := append([]byte{}, wrapped[:8]...), append([]byte{}, wrapped[8:]...)
	b := make([]byte, 16)
	for j := 5; j >= 0; j-- {
		for i := n; i >= 1; i-- {
			binary.BigEndian.PutUint64(b, binary.BigEndian.Uint64(a)^uint64(n*j+i))
			copy(b[8:], r[8*(i-1):8*i])
			block.Decrypt(b, b)
			copy(a, b[:8])
			copy(r[8*(i-1):], b[8:])
		}
	}
	if subtle.ConstantTimeCompare(a, []byte{0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6}) != 1 {
		return nil, errPassword
	}
	return r, nil
}
