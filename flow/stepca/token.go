package stepca

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"time"

	"certwright/certs/topology"
)

// provisionerKey signs the tokens.
type provisionerKey struct {
	id  string
	alg string // ES256, ES384, EdDSA
	key crypto.Signer
}

// provisioner is one of those that a CA lists, as far as we read it.
type provisioner struct {
	Type         string `json:"type"`
	Name         string `json:"name"`
	EncryptedKey string `json:"encryptedKey"`
	Key          struct {
		ID string `json:"kid"`
	} `json:"key"`
}

// maxPages bounds the walk over the list of provisioners.
const maxPages = 50

// findKey fetches the provisioner's sealed key and opens it with the password.
func (c *CA) findKey(ctx context.Context) error {
	name := quote(c.cfg.Provisioner)
	cursor, others := "", []string{}
	for range maxPages {
		var list struct {
			Provisioners []provisioner `json:"provisioners"`
			Next         string        `json:"nextCursor"`
		}
		if err := c.ask(ctx, c.http, http.MethodGet, "/1.0/provisioners?limit=100&cursor="+url.QueryEscape(cursor), nil, &list); err != nil {
			return c.unreachable(err)
		}
		for _, p := range list.Provisioners {
			if p.Name != c.cfg.Provisioner {
				others = append(others, p.Name)
				continue
			}
			return c.openKey(p)
		}
		if cursor = list.Next; cursor == "" {
			break
		}
	}
	if len(others) > 10 {
		others = append(others[:10], "…")
	}
	return c.cfg.fail("", "has no provisioner "+name, "use one of "+quote(strings.Join(others, ", "))+", or add it: step ca provisioner add "+name+" --create", nil)
}

func (c *CA) openKey(p provisioner) error {
	name := quote(c.cfg.Provisioner)
	switch {
	case p.Type != "JWK":
		return c.cfg.fail("", fmt.Sprintf("its provisioner %s is of type %s, and tokens are signed for those of type JWK", name, quote(p.Type)), "name one of type JWK, or add one: step ca provisioner add NAME --create", nil)
	case p.EncryptedKey == "":
		return c.cfg.fail("", "does not hand out the sealed key of provisioner "+name, "let the provisioner have its encryptedKey in ca.json", nil)
	case len(c.cfg.Password) == 0:
		return c.cfg.fail("", "the key of provisioner "+name+" waits for its password", "name a file that holds it (password-file in the plan), or run where it can be asked for", nil)
	}
	text, err := openJWE(p.EncryptedKey, c.cfg.Password)
	if errors.Is(err, errPassword) {
		return c.cfg.fail("", "the password does not open the key of provisioner "+name, "give the one that was typed when the provisioner was made", nil)
	}
	if err != nil {
		return c.cfg.fail("", "the sealed key of provisioner "+name+" cannot be read", "make the provisioner anew with a current step CLI", err)
	}
	defer clear(text)
	if c.key, err = parseJWK(text); err != nil {
		return c.cfg.fail("", "the key of provisioner "+name+" cannot be used", "make one that is EC P-256, as step does", err)
	}
	if c.key.id == "" {
		c.key.id = p.Key.ID
	}
	return nil
}

// parseJWK reads a private key (RFC 7517, RFC 7518 section 6, RFC 8037).
func parseJWK(text []byte) (*provisionerKey, error) {
	var k struct {
		Kty string `json:"kty"`
		Crv string `json:"crv"`
		ID  string `json:"kid"`
		X   string `json:"x"`
		Y   string `json:"y"`
		D   string `json:"d"`
	}
	if json.Unmarshal(text, &k) != nil {
		return nil, errors.New("it is no JSON web key") // the error of JSON may quote the key
	}
	d, err := base64.RawURLEncoding.DecodeString(k.D)
	if err != nil || len(d) == 0 {
		return nil, errors.New("it has no private part")
	}
	defer clear(d)
	var curve elliptic.Curve
	out := &provisionerKey{id: k.ID}
	switch k.Kty + " " + k.Crv {
	case "EC P-256":
		curve, out.alg = elliptic.P256(), "ES256"
	case "EC P-384":
		curve, out.alg = elliptic.P384(), "ES384"
	case "OKP Ed25519":
		if len(d) != ed25519.SeedSize {
			return nil, errors.New("its private part has another length than Ed25519's")
		}
		out.key, out.alg = ed25519.NewKeyFromSeed(d), "EdDSA"
		return out, nil
	default:
		return nil, fmt.Errorf("it is of kind %s %s, and tokens are signed with EC P-256, EC P-384 or Ed25519", quote(k.Kty), quote(k.Crv))
	}
	key, err := ecdsa.ParseRawPrivateKey(curve, leftPad(d, (curve.Params().BitSize+7)/8))
	if err != nil {
		return nil, errors.New("its private part is no number of its curve")
	}
	out.key = key
	return out, nil
}

func leftPad(b []byte, n int) []byte {
	if len(b) >= n {
		return b
	}
	return append(make([]byte, n-len(b)), b...)
}

// subject and san are as step-ca's templates read them.
type subject struct {
	CommonName   string   `json:"commonName,omitempty"`
	Organization []string `json:"organization,omitempty"`
}

type san struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

// asked is what the certificate is to hold, for the provisioner's template: the
// token is signed, so the template may believe it.
type asked struct {
	Subject     subject  `json:"subject"`
	SANs        []san    `json:"sans"`
	ExtKeyUsage []string `json:"extKeyUsage"`
}

// tokenLife is how long a token is good for, the five minutes of step's own.
const tokenLife = 5 * time.Minute

// token is a JSON web token for one certificate.
func (c *CA) token(slot *topology.Slot) (string, error) {
	want := asked{Subject: subject{slot.Subject.CN, slot.Subject.O}, SANs: []san{}, ExtKeyUsage: []string{}}
	names := []string{}
	for _, n := range slot.Names {
		names = append(names, n.Value)
		want.SANs = append(want.SANs, san{strings.ToLower(string(n.Kind)), n.Value})
	}
	for _, u := range slot.Usages {
		switch u {
		case topology.ServerAuth:
			want.ExtKeyUsage = append(want.ExtKeyUsage, "serverAuth")
		case topology.ClientAuth:
			want.ExtKeyUsage = append(want.ExtKeyUsage, "clientAuth")
		}
	}
	var id [32]byte
	_, _ = rand.Read(id[:]) // it never fails: the program dies instead
	now := c.cfg.Now()
	claims := map[string]any{
		"iss": c.cfg.Provisioner, "aud": c.base.String() + "/1.0/sign", "sub": slot.Subject.CN, "sans": names,
		"iat": now.Unix(), "nbf": now.Add(-time.Minute).Unix(), "exp": now.Add(tokenLife).Unix(),
		"jti": hex.EncodeToString(id[:]), "sha": fingerprint(c.root), "certwright": want,
	}
	return c.key.sign(claims)
}

// sign makes a JSON web signature in its compact form (RFC 7515).
func (k *provisionerKey) sign(claims map[string]any) (string, error) {
	header, err := json.Marshal(map[string]string{"alg": k.alg, "kid": k.id, "typ": "JWT"})
	if err != nil {
		return "", err
	}
	body, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	text := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(body)
	var sig []byte
	switch key := k.key.(type) {
	case ed25519.PrivateKey:
		sig = ed25519.Sign(key, []byte(text))
	case *ecdsa.PrivateKey:
		sum := sha256.Sum256([]byte(text))
		digest := sum[:]
		if k.alg == "ES384" {
			long := sha512.Sum384([]byte(text))
			digest = long[:]
		}
		var r, s *big.Int
		if r, s, err = ecdsa.Sign(rand.Reader, key, digest); err != nil {
			return "", err
		}
		n := (key.Params().BitSize + 7) / 8
		sig = append(r.FillBytes(make([]byte, n)), s.FillBytes(make([]byte, n))...)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(sig), nil
}
