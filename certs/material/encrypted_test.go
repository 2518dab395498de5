package material

import (
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

const passphrase = "pässw0rd"

// TestEncryptedKeysOfOpenSSL opens a key in every scheme that openssl offers.
func TestEncryptedKeysOfOpenSSL(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "pass", []byte(passphrase))
	for _, kind := range []string{"rsa", "p256", "p384", "p521", "ed25519"} {
		text, err := EncodeKey(keyFor(t, kind))
		if err != nil {
			t.Fatal(err)
		}
		write(t, dir, kind, text)
	}
	type test struct {
		name, kind string
		args       []string
	}
	pkcs8 := func(name, kind string, args ...string) test {
		return test{name, kind, append([]string{"pkcs8", "-topk8", "-in", kind, "-passout", "file:pass"}, args...)}
	}
	tests := []test{
		pkcs8("the default", "rsa"),
		pkcs8("the default, Ed25519", "ed25519"),
		pkcs8("the default, P-521", "p521"),
		pkcs8("scrypt", "p256", "-scrypt", "-scrypt_N", "1024"),
		pkcs8("scrypt, AES-128", "rsa", "-scrypt", "-scrypt_N", "2048", "-scrypt_r", "4", "-scrypt_p", "2", "-v2", "aes-128-cbc"),
		pkcs8("many rounds", "p384", "-iter", "100000"),
		{"DEK-Info, AES-128, RSA", "rsa", []string{"rsa", "-traditional", "-aes128", "-in", "rsa", "-passout", "file:pass"}},
		{"DEK-Info, AES-192, EC", "p256", []string{"ec", "-aes192", "-in", "p256", "-passout", "file:pass"}},
		{"DEK-Info, AES-256, EC", "p384", []string{"ec", "-aes256", "-in", "p384", "-passout", "file:pass"}},
		{"DEK-Info, triple DES, RSA", "rsa", []string{"rsa", "-traditional", "-des3", "-in", "rsa", "-passout", "file:pass"}},
		{"DEK-Info, DES, EC", "p256", []string{"ec", "-des", "-provider", "legacy", "-provider", "default", "-in", "p256", "-passout", "file:pass"}},
	}
	for _, prf := range []string{"SHA1", "SHA224", "SHA256", "SHA384", "SHA512", "SHA512-224", "SHA512-256"} {
		for _, c := range []string{"aes-128-cbc", "aes-192-cbc", "aes-256-cbc", "des-ede3-cbc"} {
			tests = append(tests, pkcs8("PBKDF2 "+prf+" "+c, "p256", "-v2", c, "-v2prf", "hmacWith"+prf))
		}
	}
	for _, scheme := range []string{"PBE-SHA1-3DES", "PBE-SHA1-2DES", "PBE-MD5-DES", "PBE-SHA1-DES", "PBE-SHA1-RC2-40", "PBE-SHA1-RC2-128"} {
		for _, kind := range []string{"rsa", "p256"} {
			tests = append(tests, pkcs8("PBES1 "+scheme+" "+kind, kind, "-v1", scheme, "-provider", "legacy", "-provider", "default"))
		}
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text, err := tryOpenSSL(t, dir, tt.args...)
			if err != nil && (strings.Contains(err.Error(), "unsupported") || strings.Contains(err.Error(), "provider")) {
				t.Skip(err)
			} else if err != nil {
				t.Fatal(err)
			}
			opens(t, text, keyFor(t, tt.kind).Public())
		})
	}
}

// opens holds one encrypted key against all that must be true of any.
func opens(t *testing.T, text []byte, pub any) {
	t.Helper()
	d := Parse(Input{Data: text, Passphrase: []byte(passphrase)})
	if len(d.Keys) != 1 || d.Keys[0].Signer == nil || !d.Keys[0].Encrypted {
		t.Fatalf("not opened: %+v", d.Problems)
	}
	if !SamePublicKey(d.Keys[0].Signer.Public(), pub) {
		t.Error("another key came out")
	}
	signs(t, d.Keys[0].Signer)
	if got := found(d); !slices.Equal(got, []string{"encrypted-key"}) || !d.Problems[0].Rescued || !d.Convertible || d.NeedsPassphrase() {
		t.Errorf("opened, and reported as %+v", d.Problems)
	}
	for _, wrong := range []string{"wrong", passphrase + "\n", strings.ToUpper(passphrase), " " + passphrase} {
		d := Parse(Input{Data: text, Passphrase: []byte(wrong)})
		if d.Signer() != nil || !errors.Is(d.Problems[0].Err, ErrPassphrase) || !d.NeedsPassphrase() || d.Problems[0].Rule != "encrypted-key" {
			t.Errorf("passphrase %q: %+v", wrong, d.Problems)
		}
	}
	d = Parse(Input{Data: text})
	if !errors.Is(d.Problems[0].Err, ErrNoPassphrase) || !d.NeedsPassphrase() || d.Convertible || !d.Keys[0].Encrypted {
		t.Errorf("without a passphrase: %+v", d.Problems)
	}
}

// TestEncryptedKeysNotRead names what cannot be opened instead of blaming the
// passphrase.
func TestEncryptedKeysNotRead(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "pass", []byte(passphrase))
	text, err := EncodeKey(keyFor(t, "p256"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "key", text)
	for _, scheme := range []string{"camellia-256-cbc", "aria-128-cbc"} {
		out := openssl(t, dir, "pkcs8", "-topk8", "-in", "key", "-passout", "file:pass", "-v2", scheme)
		d := Parse(Input{Data: out, Passphrase: []byte(passphrase)})
		if !errors.Is(d.Problems[0].Err, ErrUnsupported) || d.NeedsPassphrase() {
			t.Errorf("%s: %+v", scheme, d.Problems)
		}
		if name, _, _ := strings.Cut(scheme, "-"); !strings.Contains(strings.ToLower(d.Problems[0].Detail), name) {
			t.Errorf("%s is not named: %q", scheme, d.Problems[0].Detail)
		}
	}
	ed448, err := tryOpenSSL(t, dir, "genpkey", "-algorithm", "ed448", "-aes-256-cbc", "-pass", "file:pass")
	if err != nil {
		t.Skip(err)
	}
	d := Parse(Input{Data: ed448, Passphrase: []byte(passphrase)})
	if got := found(d); !slices.Equal(got, []string{"unsupported-key-algorithm"}) {
		t.Errorf("an encrypted Ed448 key: %+v", d.Problems)
	}
}

// sealed describes a PBES2 structure to be written, right or wrong.
type sealed struct {
	kdf, prf, cipher string
	salt             []byte
	rounds           []byte // the content of the INTEGER
	keyLength        []byte
	scrypt           [][]byte
	iv               []byte
	data             []byte
}

func oid(t testing.TB, text string) asn1.ObjectIdentifier {
	t.Helper()
	parsed, err := parseOID(text)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func parseOID(text string) (asn1.ObjectIdentifier, error) {
	var out asn1.ObjectIdentifier
	for part := range strings.SplitSeq(text, ".") {
		n := 0
		for _, c := range part {
			if c < '0' || c > '9' {
				return nil, errors.New("not an object identifier: " + text)
			}
			n = n*10 + int(c-'0')
		}
		out = append(out, n)
	}
	return out, nil
}

// der writes an EncryptedPrivateKeyInfo.
func (s sealed) der(t testing.TB) []byte {
	t.Helper()
	var b cryptobyte.Builder
	seq := func(b *cryptobyte.Builder, f cryptobyte.BuilderContinuation) { b.AddASN1(cbasn1.SEQUENCE, f) }
	number := func(b *cryptobyte.Builder, n []byte) {
		b.AddASN1(cbasn1.INTEGER, func(b *cryptobyte.Builder) { b.AddBytes(n) })
	}
	seq(&b, func(b *cryptobyte.Builder) {
		seq(b, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(oid(t, oidPBES2))
			seq(b, func(b *cryptobyte.Builder) {
				seq(b, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(oid(t, s.kdf))
					seq(b, func(b *cryptobyte.Builder) {
						b.AddASN1OctetString(s.salt)
						for _, n := range s.scrypt {
							number(b, n)
						}
						if s.rounds != nil {
							number(b, s.rounds)
						}
						if s.keyLength != nil {
							number(b, s.keyLength)
						}
						if s.prf != "" {
							seq(b, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oid(t, s.prf)); b.AddASN1NULL() })
						}
					})
				})
				seq(b, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(oid(t, s.cipher))
					b.AddASN1OctetString(s.iv)
				})
			})
		})
		b.AddASN1OctetString(s.data)
	})
	out, err := b.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestHostileEncryptedKeys holds each bound on what an encrypted key may ask
// for. Without the bounds most of these would run for hours.
func TestHostileEncryptedKeys(t *testing.T) {
	const aes256, sha256 = "2.16.840.1.101.3.4.1.42", "1.2.840.113549.2.9"
	pbkdf2 := func() sealed {
		return sealed{kdf: oidPBKDF2, prf: sha256, cipher: aes256, salt: make([]byte, 8), rounds: []byte{8, 0}, iv: make([]byte, 16), data: make([]byte, 64)}
	}
	scrypt := func(n, r, p []byte) sealed {
		return sealed{kdf: oidScrypt, cipher: aes256, salt: make([]byte, 8), scrypt: [][]byte{n, r, p}, iv: make([]byte, 16), data: make([]byte, 64)}
	}
	with := func(s sealed, edit func(*sealed)) sealed { edit(&s); return s }
	one := []byte{1}
	tests := []struct {
		name string
		s    sealed
		want error
	}{
		{"well formed", pbkdf2(), ErrPassphrase},
		{"one round", with(pbkdf2(), func(s *sealed) { s.rounds = one }), ErrPassphrase},
		{"no rounds", with(pbkdf2(), func(s *sealed) { s.rounds = []byte{0} }), ErrDamaged},
		{"negative rounds", with(pbkdf2(), func(s *sealed) { s.rounds = []byte{0x80} }), ErrDamaged},
		{"rounds one over the cap", with(pbkdf2(), func(s *sealed) { s.rounds = []byte{0x4c, 0x4b, 0x41} }), ErrCost},
		{"2^31-1 rounds", with(pbkdf2(), func(s *sealed) { s.rounds = []byte{0x7f, 0xff, 0xff, 0xff} }), ErrCost},
		{"2^63 rounds", with(pbkdf2(), func(s *sealed) {
			s.rounds = append([]byte{0}, make([]byte, 1)...)
			s.rounds = []byte{0, 0x80, 0, 0, 0, 0, 0, 0, 0}
		}), ErrCost},
		{"2^8000 rounds", with(pbkdf2(), func(s *sealed) { s.rounds = append([]byte{1}, make([]byte, 1000)...) }), ErrCost},
		{"the cipher's key length", with(pbkdf2(), func(s *sealed) { s.keyLength = []byte{32} }), ErrPassphrase},
		{"another key length", with(pbkdf2(), func(s *sealed) { s.keyLength = []byte{16} }), ErrDamaged},
		{"a giant key length", with(pbkdf2(), func(s *sealed) { s.keyLength = []byte{0x7f, 0xff, 0xff, 0xff} }), ErrDamaged},
		{"no salt", with(pbkdf2(), func(s *sealed) { s.salt = nil }), ErrPassphrase},
		{"a giant salt", with(pbkdf2(), func(s *sealed) { s.salt = make([]byte, 5000) }), ErrDamaged},
		{"no vector", with(pbkdf2(), func(s *sealed) { s.iv = nil }), ErrDamaged},
		{"short vector", with(pbkdf2(), func(s *sealed) { s.iv = make([]byte, 8) }), ErrDamaged},
		{"long vector", with(pbkdf2(), func(s *sealed) { s.iv = make([]byte, 17) }), ErrDamaged},
		{"no data", with(pbkdf2(), func(s *sealed) { s.data = nil }), ErrDamaged},
		{"data of no whole blocks", with(pbkdf2(), func(s *sealed) { s.data = make([]byte, 63) }), ErrDamaged},
		{"unknown cipher", with(pbkdf2(), func(s *sealed) { s.cipher = "1.2.3.4" }), ErrUnsupported},
		{"AES-GCM", with(pbkdf2(), func(s *sealed) { s.cipher = "2.16.840.1.101.3.4.1.46" }), ErrUnsupported},
		{"unknown key derivation", with(pbkdf2(), func(s *sealed) { s.kdf = "1.2.3.4" }), ErrUnsupported},
		{"unknown function", with(pbkdf2(), func(s *sealed) { s.prf = "1.2.3.4" }), ErrUnsupported},
		{"scrypt, well formed", scrypt([]byte{4, 0}, []byte{8}, one), ErrPassphrase},
		{"scrypt, N no power of two", scrypt([]byte{4, 1}, []byte{8}, one), ErrDamaged},
		{"scrypt, N of 1", scrypt(one, []byte{8}, one), ErrDamaged},
		{"scrypt, r of 0", scrypt([]byte{4, 0}, []byte{0}, one), ErrDamaged},
		{"scrypt, p of 0", scrypt([]byte{4, 0}, []byte{8}, []byte{0}), ErrDamaged},
		{"scrypt, 512 MiB", scrypt([]byte{8, 0, 0}, []byte{8}, one), ErrCost},
		{"scrypt, N of 2^30", scrypt([]byte{0x40, 0, 0, 0}, []byte{8}, one), ErrCost},
		{"scrypt, r of 2^31-1", scrypt([]byte{4, 0}, []byte{0x7f, 0xff, 0xff, 0xff}, one), ErrCost},
		{"scrypt, p of 2^30", scrypt([]byte{4, 0}, []byte{8}, []byte{0x40, 0, 0, 0}), ErrCost},
		{"scrypt, N negative", scrypt([]byte{0x80}, []byte{8}, one), ErrDamaged},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			der := tt.s.der(t)
			if _, err := Decrypt(der, []byte("x")); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			d := Parse(Input{Data: []byte(pemOf("ENCRYPTED PRIVATE KEY", der)), Passphrase: []byte("x")})
			rule := "encrypted-key"
			if tt.want == ErrDamaged {
				rule = "malformed-key"
			}
			if got := found(d); !slices.Equal(got, []string{rule}) || !errors.Is(d.Problems[0].Err, tt.want) {
				t.Errorf("Parse: got %+v, want %s of class %q", d.Problems, rule, tt.want)
			}
			if want := tt.want == ErrPassphrase; d.NeedsPassphrase() != want {
				t.Errorf("NeedsPassphrase is %v, want %v", d.NeedsPassphrase(), want)
			}
			// What a passphrase cannot mend is said before one is asked for.
			d = Parse(Input{Data: []byte(pemOf("ENCRYPTED PRIVATE KEY", der))})
			if want := tt.want == ErrPassphrase; d.NeedsPassphrase() != want {
				t.Errorf("without a passphrase NeedsPassphrase is %v, want %v: %+v", d.NeedsPassphrase(), want, d.Problems)
			}
		})
	}
}

// TestEncryptedKeysShareTheirBudget: a file of many costly keys costs no more
// than one.
func TestEncryptedKeysShareTheirBudget(t *testing.T) {
	s := sealed{
		kdf: oidPBKDF2, prf: "1.2.840.113549.2.9", cipher: "2.16.840.1.101.3.4.1.42", salt: make([]byte, 8),
		rounds: []byte{0x0f, 0x42, 0x40}, iv: make([]byte, 16), data: make([]byte, 64), // a million rounds
	}
	text := strings.Repeat(pemOf("ENCRYPTED PRIVATE KEY", s.der(t)), 40)
	d := Parse(Input{Data: []byte(text), Passphrase: []byte("x")})
	var cost, wrong int
	for _, p := range d.Problems {
		switch {
		case errors.Is(p.Err, ErrCost):
			cost++
		case errors.Is(p.Err, ErrPassphrase):
			wrong++
		}
	}
	if wrong != maxWork/1_000_000 || cost == 0 {
		t.Errorf("%d keys were tried and %d refused for their cost", wrong, cost)
	}
	if d := Parse(Input{Data: []byte(text)}); !d.NeedsPassphrase() || slices.ContainsFunc(d.Problems, func(p Problem) bool { return p.Err == ErrCost }) {
		t.Errorf("without a passphrase nothing is tried, and nothing costs: %+v", d.Problems[0])
	}
}

// TestDamageIsToldFromAWrongPassphrase: the passphrase is right, and bytes of
// the encrypted data are not.
func TestDamageIsToldFromAWrongPassphrase(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "pass", []byte(passphrase))
	text, err := EncodeKey(keyFor(t, "rsa"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "key", text)
	b, _ := pem.Decode(openssl(t, dir, "pkcs8", "-topk8", "-in", "key", "-passout", "file:pass"))
	legacy, _ := pem.Decode(openssl(t, dir, "rsa", "-traditional", "-aes256", "-in", "key", "-passout", "file:pass"))
	for _, tt := range []struct {
		name  string
		block *pem.Block
		at    int // from the end
	}{
		{"PBES2, last block", b, 1},
		{"PBES2, last block but one", b, 17},
		{"PBES2, middle", b, len(b.Bytes) / 2},
		{"DEK-Info, last block", legacy, 1},
		{"DEK-Info, middle", legacy, len(legacy.Bytes) / 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			spoiled := *tt.block
			spoiled.Bytes = slices.Clone(tt.block.Bytes)
			spoiled.Bytes[len(spoiled.Bytes)-tt.at] ^= 0x55
			d := Parse(Input{Data: pem.EncodeToMemory(&spoiled), Passphrase: []byte(passphrase)})
			if got := found(d); !slices.Equal(got, []string{"malformed-key"}) || d.NeedsPassphrase() || d.Signer() != nil {
				t.Errorf("got %+v", d.Problems)
			}
		})
	}
}

// TestLegacyHeaders: DEK-Info is text, and may say anything.
func TestLegacyHeaders(t *testing.T) {
	for _, tt := range []struct {
		name, header string
		want         error
	}{
		{"good", "AES-128-CBC,000102030405060708090a0b0c0d0e0f", ErrPassphrase},
		{"short vector", "AES-128-CBC,0001", ErrDamaged},
		{"vector for DES", "AES-128-CBC,0001020304050607", ErrDamaged},
		{"vector is no hex", "AES-128-CBC,zz", ErrDamaged},
		{"no vector", "AES-128-CBC", ErrDamaged},
		{"nothing", "", ErrDamaged},
		{"unknown cipher", "CAMELLIA-128-CBC,000102030405060708090a0b0c0d0e0f", ErrUnsupported},
		{"hostile cipher", "\x1b]0;x\x07" + strings.Repeat("A", 9000) + ",00", ErrUnsupported},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: " + tt.header + "\n\n" +
				strings.Repeat("AAAA", 16) + "\n-----END RSA PRIVATE KEY-----\n"
			d := Parse(Input{Data: []byte(text), Passphrase: []byte("x")})
			if len(d.Problems) != 1 || !errors.Is(d.Problems[0].Err, tt.want) {
				t.Fatalf("got %+v, want class %q", d.Problems, tt.want)
			}
			if detail := d.Problems[0].Detail; strings.ContainsRune(detail, 0x1b) || len(detail) > 1000 {
				t.Errorf("the detail is not safe to show: %q", detail)
			}
		})
	}
}
