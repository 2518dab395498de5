package material

import (
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// times writes a Validity of two elements.
func times(tag byte, notBefore, notAfter string) []byte {
	return tlv(0x30, append(tlv(tag, []byte(notBefore)...), tlv(tag, []byte(notAfter)...)...)...)
}

// names writes a subjectAltName extension of raw names: tag and content.
func names(list ...[]byte) pkix.Extension {
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: tlv(0x30, slices.Concat(list...)...)}
}

// publicKeyInfo writes a SubjectPublicKeyInfo.
func publicKeyInfo(t testing.TB, algorithm string, params, key []byte) []byte {
	t.Helper()
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(oid(t, algorithm))
			b.AddBytes(params)
		})
		b.AddASN1BitString(key)
	})
	out, err := b.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// rsaKeyInfo writes an RSA public key, whatever its numbers.
func rsaKeyInfo(t testing.TB, n, e *big.Int) []byte {
	t.Helper()
	der, err := asn1.Marshal(struct{ N, E *big.Int }{n, e})
	if err != nil {
		t.Fatal(err)
	}
	return publicKeyInfo(t, "1.2.840.113549.1.1.1", tlv(5), der)
}

func objectID(t testing.TB, text string) []byte {
	t.Helper()
	der, err := asn1.Marshal(oid(t, text))
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// TestCertificatesThatGoRefuses has one certificate for each defect, and the
// rule and words that must name it. Each is first held against crypto/x509:
// what it accepts has no place here.
func TestCertificatesThatGoRefuses(t *testing.T) {
	good := selfSigned(t, "leaf", keyFor(t, "p256"))
	modulus := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 2048), big.NewInt(1))
	const secp256k1, brainpool = "1.3.132.0.10", "1.3.36.3.3.2.8.1.1.7"
	point := append([]byte{4}, make([]byte, 64)...)
	ski := pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 14}, Critical: true, Value: tlv(4, 1, 2, 3)}
	aki := pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 35}, Critical: true, Value: tlv(0x30, tlv(0x80, 1, 2)...)}
	add := func(e ...pkix.Extension) func(*parts) {
		return func(p *parts) { p.extensions = append(p.extensions, e...) }
	}
	only := func(e ...pkix.Extension) func(*parts) { return func(p *parts) { p.extensions = e } }
	tests := []struct {
		name string
		edit func(*parts)
		rule string
		says string
	}{
		{"negative serial", func(p *parts) { p.serial = tlv(2, 0xff, 1) }, "negative-serial", "negative"},
		{"extension twice", func(p *parts) { p.extensions = append(p.extensions, p.extensions[0]) }, "duplicate-extension", "twice"},
		{"SKI critical", only(ski), "extension-criticality", "subjectKeyIdentifier"},
		{"AKI critical", only(aki), "extension-criticality", "authorityKeyIdentifier"},
		{"secp256k1", func(p *parts) { p.key = publicKeyInfo(t, "1.2.840.10045.2.1", objectID(t, secp256k1), point) }, "unsupported-curve", "secp256k1"},
		{"brainpool", func(p *parts) { p.key = publicKeyInfo(t, "1.2.840.10045.2.1", objectID(t, brainpool), point) }, "unsupported-curve", "brainpoolP256r1"},
		{"explicit parameters", func(p *parts) { p.key = publicKeyInfo(t, "1.2.840.10045.2.1", tlv(0x30, tlv(2, 1)...), point) }, "explicit-ec-params", "spelled out"},
		{"no curve", func(p *parts) { p.key = publicKeyInfo(t, "1.2.840.10045.2.1", nil, point) }, "malformed-der", "curve"},
		{"RSA exponent 0", func(p *parts) { p.key = rsaKeyInfo(t, modulus, big.NewInt(0)) }, "rsa-exponent", "0"},
		{"RSA exponent negative", func(p *parts) { p.key = rsaKeyInfo(t, modulus, big.NewInt(-3)) }, "rsa-exponent", "negative"},
		{"RSA exponent of 71 bits", func(p *parts) {
			p.key = rsaKeyInfo(t, modulus, new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), 70), big.NewInt(1)))
		}, "rsa-exponent", "31 bits"},
		{"RSA modulus negative", func(p *parts) { p.key = rsaKeyInfo(t, big.NewInt(-5), big.NewInt(3)) }, "malformed-der", "modulus"},
		{"RSA without NULL", func(p *parts) {
			p.key = publicKeyInfo(t, "1.2.840.113549.1.1.1", nil, tlv(0x30, append(tlv(2, 5), tlv(2, 3)...)...))
		}, "malformed-der", "NULL"},
		{"algorithms differ", func(p *parts) { p.outer = tlv(0x30, objectID(t, "1.2.840.113549.1.1.11")...) }, "signature-algorithm-mismatch", "SHA-256 with RSA"},
		{"algorithms differ in parameters", func(p *parts) {
			p.outer = tlv(0x30, slices.Concat(objectID(t, "1.2.840.10045.4.3.2"), tlv(5))...)
		}, "signature-algorithm-mismatch", "SHA-256 with ECDSA"},
		{"UTCTime of nonsense", func(p *parts) { p.validity = times(0x17, "26112112Z", "27112112Z") }, "malformed-der", `notBefore is the UTCTime "26112112Z"`},
		{"UTCTime without seconds", func(p *parts) { p.validity = times(0x17, "2611211200Z", "2711211200Z") }, "", ""},
		{"UTCTime without Z", func(p *parts) { p.validity = times(0x17, "261121120000", "271121120000") }, "malformed-der", "YYMMDDhhmmssZ"},
		{"UTCTime with offset", func(p *parts) { p.validity = times(0x17, "261121120000+0100", "271121120000+0100") }, "", ""},
		{"month 13", func(p *parts) { p.validity = times(0x17, "261121120000Z", "271321120000Z") }, "malformed-der", "notAfter"},
		{"GeneralizedTime with fractions", func(p *parts) { p.validity = times(0x18, "20261121120000.5Z", "20271121120000Z") }, "malformed-der", "GeneralizedTime"},
		{"time is a number", func(p *parts) { p.validity = times(2, "1", "2") }, "malformed-der", "neither"},
		{"IP of 8 octets", only(names(tlv(0x87, 10, 0, 0, 1, 255, 255, 255, 0))), "malformed-der", "8 octets"},
		{"IP of no octets", only(names(tlv(0x87))), "malformed-der", "0 octets"},
		{"DNS name not ASCII", only(names(tlv(0x82, []byte("bücher.example")...))), "malformed-san", "dNSName"},
		{"mail not ASCII", only(names(tlv(0x81, []byte("ü@example.com")...))), "malformed-san", "rfc822Name"},
		{"URI not ASCII", only(names(tlv(0x86, []byte("http://ü")...))), "malformed-san", "uniformResourceIdentifier"},
		{"URI that does not parse", only(names(tlv(0x86, []byte("http://[::1")...))), "malformed-san", "URI"},
		{"SAN is no list", only(pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: tlv(4, 1)}), "malformed-der", "subjectAltName"},
		{"key usage is no bit string", only(pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 15}, Value: tlv(4, 1)}), "malformed-der", "invalid key usage"},
		{"version 4", func(p *parts) { p.version = tlv(0xa0, tlv(2, 3)...) }, "malformed-der", "version is 4"},
		{"version 2 with extensions", func(p *parts) { p.version = tlv(0xa0, tlv(2, 1)...); add()(p) }, "", ""},
		{"serial with leading zeros", func(p *parts) { p.serial = tlv(2, 0, 0, 1) }, "malformed-der", "serial"},
		{"issuer is no name", func(p *parts) { p.issuer = tlv(0x30, 1, 1, 1) }, "malformed-der", ""},
		{"bytes behind", func(p *parts) { p.tail = []byte{1, 2, 3} }, "trailing-data", "3 bytes"},
		{"oversize RSA", func(p *parts) { p.key = rsaKeyInfo(t, new(big.Int).Lsh(big.NewInt(1), 8192), big.NewInt(3)) }, "oversize-key", "8193 bits"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			der := rebuilt(t, good, tt.edit)
			_, err := x509.ParseCertificate(der)
			if (err == nil) != (tt.rule == "" || tt.rule == "oversize-key") {
				t.Fatalf("crypto/x509 says %v", err)
			}
			d := Parse(Input{Data: []byte(pemOf("CERTIFICATE", der))})
			if tt.rule == "" {
				if len(d.Problems) > 0 {
					t.Errorf("got %+v", d.Problems)
				}
				return
			}
			if got := found(d); !slices.Equal(got, []string{tt.rule}) {
				t.Fatalf("got %+v, want %s; Go says %v", d.Problems, tt.rule, err)
			}
			pr := d.Problems[0]
			if !strings.Contains(pr.Detail, tt.says) {
				t.Errorf("%q does not say %q", pr.Detail, tt.says)
			}
			if pr.Certificate != 1 || pr.Line != 1 {
				t.Errorf("certificate %d in line %d", pr.Certificate, pr.Line)
			}
			if rescued := tt.rule == "trailing-data"; pr.Rescued != rescued || (d.Certificates[0].X509 != nil) != rescued {
				t.Errorf("rescued: %v, certificate %v", pr.Rescued, d.Certificates[0].X509 != nil)
			}
			// The same as DER, and behind a good one.
			d = Parse(Input{Data: []byte(pemOf("CERTIFICATE", good.Raw) + pemOf("CERTIFICATE", der))})
			if got := found(d); !slices.Equal(got, []string{tt.rule}) || d.Problems[0].Certificate != 2 || d.Certificates[0].X509 == nil {
				t.Errorf("behind a good one: %+v", d.Problems)
			}
		})
	}
}

// TestUnmodifiedCertificateSurvives shows that rebuilt spoils nothing by itself.
func TestUnmodifiedCertificateSurvives(t *testing.T) {
	good := selfSigned(t, "leaf", keyFor(t, "p256"))
	if der := rebuilt(t, good, func(*parts) {}); !slices.Equal(der, good.Raw) {
		t.Error("taking apart and putting together changes the certificate")
	}
}

// TestKeysThatGoRefuses has the private keys that no component reads.
func TestKeysThatGoRefuses(t *testing.T) {
	dir := t.TempDir()
	generate := func(name string, args ...string) func(*testing.T) []byte {
		return func(t *testing.T) []byte {
			t.Helper()
			out, err := tryOpenSSL(t, dir, args...)
			if err != nil {
				t.Skip(name, err)
			}
			return out
		}
	}
	curve := func(name string, more ...string) func(*testing.T) []byte {
		return generate(name, append([]string{"genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:" + name}, more...)...)
	}
	rsaWith := func(edit func(*rsa.PrivateKey)) func(*testing.T) []byte {
		return func(t *testing.T) []byte {
			t.Helper()
			k := keyFor(t, "rsa").(*rsa.PrivateKey)
			changed := &rsa.PrivateKey{PublicKey: k.PublicKey, D: k.D, Primes: slices.Clone(k.Primes)}
			edit(changed)
			der, err := asn1.Marshal(struct {
				Version             int
				N, E, D, P, Q       *big.Int
				Dp, Dq, Coefficient *big.Int
			}{
				0, changed.N, big.NewInt(int64(changed.E)), changed.D, changed.Primes[0], changed.Primes[1],
				k.Precomputed.Dp, k.Precomputed.Dq, k.Precomputed.Qinv,
			})
			if err != nil {
				t.Fatal(err)
			}
			return []byte(pemOf("RSA PRIVATE KEY", der))
		}
	}
	sec1 := func(params ...byte) func(*testing.T) []byte {
		return func(*testing.T) []byte {
			return []byte(pemOf("EC PRIVATE KEY", tlv(0x30, slices.Concat(tlv(2, 1), tlv(4, make([]byte, 32)...), params)...)))
		}
	}
	tests := []struct {
		name string
		make func(*testing.T) []byte
		rule string // "" for keys that are read
	}{
		{"RSA unchanged", rsaWith(func(*rsa.PrivateKey) {}), ""},
		{"P-224", curve("P-224"), ""}, // parses; whether it serves depends on the slot
		{"secp256k1", curve("secp256k1"), "unsupported-curve"},
		{"brainpoolP256r1", curve("brainpoolP256r1"), "unsupported-curve"},
		{"explicit parameters", curve("P-256", "-pkeyopt", "ec_param_enc:explicit"), "explicit-ec-params"},
		{"Ed448", generate("ed448", "genpkey", "-algorithm", "ED448"), "unsupported-key-algorithm"},
		{"X25519", generate("x25519", "genpkey", "-algorithm", "X25519"), "unsupported-key-algorithm"},
		{"RSA-PSS", generate("pss", "genpkey", "-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"), "unsupported-key-algorithm"},
		{"DSA", func(*testing.T) []byte {
			six := slices.Concat(tlv(2, 0), tlv(2, 23), tlv(2, 11), tlv(2, 4), tlv(2, 8), tlv(2, 7))
			return []byte(pemOf("DSA PRIVATE KEY", tlv(0x30, six...)))
		}, "unsupported-key-algorithm"},
		{"no curve named", sec1(), "malformed-key"},
		{"SEC 1 on secp256k1", sec1(tlv(0xa0, objectID(t, "1.3.132.0.10")...)...), "unsupported-curve"},
		{"SEC 1, scalar of zero", sec1(tlv(0xa0, objectID(t, "1.2.840.10045.3.1.7")...)...), "malformed-key"},
		{"RSA exponent even", rsaWith(func(k *rsa.PrivateKey) { k.E = 65536 }), "rsa-exponent"},
		{"RSA exponent 1", rsaWith(func(k *rsa.PrivateKey) { k.E = 1 }), "rsa-exponent"},
		{"RSA numbers do not fit", rsaWith(func(k *rsa.PrivateKey) { k.N = new(big.Int).Add(k.N, big.NewInt(2)) }), "malformed-key"},
		{"RSA of 16384 bits", rsaWith(func(k *rsa.PrivateKey) { k.N = new(big.Int).Lsh(big.NewInt(1), 16383) }), "oversize-key"},
		{"RSA with a giant prime", rsaWith(func(k *rsa.PrivateKey) { k.Primes[0] = new(big.Int).Lsh(big.NewInt(1), 200000) }), "malformed-key"},
		{"half a key", func(t *testing.T) []byte {
			return []byte(pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(keyFor(t, "rsa").(*rsa.PrivateKey))[:300]))
		}, "malformed-key"},
		{"a giant block", func(*testing.T) []byte {
			return []byte(pemOf("PRIVATE KEY", tlv(0x30, make([]byte, MaxKey)...)))
		}, "file-too-large"},
		{"rubbish", func(*testing.T) []byte { return []byte(pemOf("PRIVATE KEY", []byte("hello, I am no key"))) }, "malformed-key"},
		{"a public key", func(t *testing.T) []byte {
			text, err := EncodePublicKey(keyFor(t, "rsa").Public())
			if err != nil {
				t.Fatal(err)
			}
			return []byte(strings.ReplaceAll(string(text), "PUBLIC KEY", "PRIVATE KEY"))
		}, "malformed-key"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := Parse(Input{Data: tt.make(t)})
			if tt.rule == "" {
				if len(d.Problems) > 0 || d.Signer() == nil {
					t.Errorf("got %+v", d.Problems)
				}
				return
			}
			got := slices.Compact(found(d))
			if !slices.Equal(got, []string{tt.rule}) && tt.name != "a giant block" || got[0] != tt.rule || d.Signer() != nil || len(d.Keys) != 1 {
				t.Errorf("got %d keys, %+v, want %s", len(d.Keys), d.Problems, tt.rule)
			}
		})
	}
}

// TestExplicitParametersOfOpenSSL: a certificate, not only a key.
func TestExplicitParametersOfOpenSSL(t *testing.T) {
	dir := t.TempDir()
	for curve, rule := range map[string]string{"P-256 -pkeyopt ec_param_enc:explicit": "explicit-ec-params", "secp256k1": "unsupported-curve"} {
		args := append([]string{"req", "-x509", "-newkey", "ec", "-nodes", "-keyout", "k", "-subj", "/CN=x"},
			strings.Fields("-pkeyopt ec_paramgen_curve:"+curve)...)
		d := Parse(Input{Data: openssl(t, dir, args...)})
		if got := found(d); !slices.Equal(got, []string{rule}) {
			t.Errorf("%s: %+v", curve, d.Problems)
		}
	}
}

// TestFactsWithoutProblems: requests, revocation lists and public keys are
// facts; whether they are in the way depends on the slot.
func TestFactsWithoutProblems(t *testing.T) {
	dir := t.TempDir()
	request := openssl(t, dir, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "k", "-subj", "/CN=x")
	public := openssl(t, dir, "pkey", "-in", "k", "-pubout")
	rsaPublic := pemOf("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&keyFor(t, "rsa").(*rsa.PrivateKey).PublicKey))
	b, _ := pem.Decode(request)
	parameters := openssl(t, dir, "ecparam", "-name", "prime256v1")
	d := Parse(Input{Data: slices.Concat(request, public, []byte(rsaPublic), parameters, []byte(pemOf("X509 CRL", tlv(0x30))))})
	if len(d.Problems) > 0 || d.Requests != 1 || len(d.PublicKeys) != 2 || d.CRLs != 1 {
		t.Errorf("got %d requests, %d public keys, %d revocation lists, %+v", d.Requests, len(d.PublicKeys), d.CRLs, d.Problems)
	}
	want := []string{"CERTIFICATE REQUEST", "PUBLIC KEY", "RSA PUBLIC KEY", "EC PARAMETERS", "X509 CRL"}
	if !slices.Equal(d.Blocks, want) {
		t.Errorf("blocks are %q, want %q", d.Blocks, want)
	}
	d = Parse(Input{Data: slices.Concat(request, read(t, dir, "k"))})
	if s := Describe(d); len(s.CSRs) != 1 || s.CSRs[0].Subject != "CN=x" || !slices.Equal(s.CSRs[0].Keys, []int{1}) || !strings.Contains(s.Text(), "request 1: CN=x, ECDSA P-256") {
		t.Errorf("a request with its key is described as %+v", s.CSRs)
	}
	if d := Parse(Input{Data: b.Bytes}); d.Requests != 1 || !slices.Equal(found(d), []string{"der-not-pem"}) {
		t.Errorf("a request as DER: %+v", d)
	}
}
