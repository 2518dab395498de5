package stepca_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"certwright/certs/issue"
	"certwright/flow/stepca"
)

// fake answers as a step-ca, but for what a test changes.
type fake struct {
	root, sub       *x509.Certificate
	rootKey, subKey *ecdsa.PrivateKey
	server          *httptest.Server
	answer          map[string]http.HandlerFunc // by path, before our own
	template        func(*x509.Certificate)     // changes what is signed
	token           map[string]any              // the last one's claims
}

func newFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{answer: map[string]http.HandlerFunc{}}
	f.root, f.rootKey = caCert(t, "Fake Root", nil, nil)
	f.sub, f.subKey = caCert(t, "Fake Intermediate", f.root, f.rootKey)
	key := newKey(t)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, f.sub, key.Public(), f.subKey)
	if err != nil {
		t.Fatal(err)
	}
	f.server = httptest.NewUnstartedServer(http.HandlerFunc(f.serve))
	f.server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der, f.sub.Raw}, PrivateKey: key}}}
	f.server.StartTLS()
	t.Cleanup(f.server.Close)
	return f
}

func pemText(c *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
}

func (f *fake) serve(w http.ResponseWriter, r *http.Request) {
	if h := f.answer[r.URL.Path]; h != nil {
		h(w, r)
		return
	}
	var out any
	switch {
	case strings.HasPrefix(r.URL.Path, "/root/"):
		out = map[string]any{"ca": pemText(f.root)}
	case r.URL.Path == "/1.0/intermediates":
		out = map[string]any{"crts": []string{pemText(f.sub)}}
	case r.URL.Path == "/1.0/provisioners":
		out = map[string]any{"provisioners": []any{map[string]any{"type": "JWK", "name": provisionerName, "key": json.RawMessage(provisionerPublic), "encryptedKey": provisionerSealed}}}
	case r.URL.Path == "/1.0/sign":
		f.sign(w, r)
		return
	}
	_ = json.NewEncoder(w).Encode(out)
}

func (f *fake) sign(w http.ResponseWriter, r *http.Request) {
	var body struct {
		CSR      string    `json:"csr"`
		Token    string    `json:"ott"`
		NotAfter time.Time `json:"notAfter"`
	}
	if json.NewDecoder(r.Body).Decode(&body) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	claims, err := base64.RawURLEncoding.DecodeString(strings.Split(body.Token, ".")[1])
	if err == nil {
		_ = json.Unmarshal(claims, &f.token)
	}
	block, _ := pem.Decode([]byte(body.CSR))
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil || csr.CheckSignature() != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: csr.Subject, DNSNames: csr.DNSNames, IPAddresses: csr.IPAddresses, URIs: csr.URIs,
		NotBefore: time.Now().Add(-time.Minute), NotAfter: body.NotAfter, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true, PublicKey: csr.PublicKey,
	}
	if f.template != nil {
		f.template(tmpl)
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, f.sub, tmpl.PublicKey, f.subKey)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	c, _ := x509.ParseCertificate(der)
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(map[string]any{"crt": pemText(c), "ca": pemText(f.sub), "certChain": []string{pemText(c), pemText(f.sub)}})
}

func (f *fake) config() stepca.Config {
	sum := sha256.Sum256(f.root.Raw)
	return stepca.Config{URL: f.server.URL, Fingerprint: hex.EncodeToString(sum[:]), Provisioner: provisionerName, Password: []byte(provisionerPassword), Now: time.Now}
}

func TestConnectNamesWhatIsWrong(t *testing.T) {
	other, _ := caCert(t, "Other Root", nil, nil)
	text := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	for _, c := range []struct {
		why, path string
		answer    http.HandlerFunc
		want      string
	}{
		{"another root under the fingerprint", "root", func(w http.ResponseWriter, _ *http.Request) {
			_ = json.NewEncoder(w).Encode(map[string]any{"ca": pemText(other)})
		}, "sends another root"},
		{"no root at all", "root", text(200, `{}`), "sends another root"},
		{"a web page", "/1.0/intermediates", text(200, "<html>"), "does not answer as a step-ca"},
		{"an endless answer", "/1.0/provisioners", func(w http.ResponseWriter, _ *http.Request) {
			for range 3 << 10 {
				if _, err := w.Write(make([]byte, 1<<10)); err != nil {
					return
				}
			}
		}, "more than a CA would"},
		{"a redirect", "/1.0/intermediates", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://example.com/", http.StatusFound)
		}, "does not answer as a step-ca"},
		{"an old one", "/1.0/intermediates", text(404, `{"message":"not found"}`), "take a newer one"},
		{"an intermediate of another root", "/1.0/intermediates", func(w http.ResponseWriter, _ *http.Request) {
			_ = json.NewEncoder(w).Encode(map[string]any{"crts": []string{pemText(other)}})
		}, "no intermediate that the pinned root signed"},
		{"no certificate where one should be", "/1.0/intermediates", text(200, `{"crts":["hello"]}`), "does not answer as a step-ca"},
		{"a provisioner without a key", "/1.0/provisioners", text(200, `{"provisioners":[{"type":"JWK","name":"admin"}]}`), "does not hand out the sealed key"},
		{"a key that is none", "/1.0/provisioners", text(200, `{"provisioners":[{"type":"JWK","name":"admin","encryptedKey":"a.b.c.d.e"}]}`), "cannot be read"},
		{"a key that takes years to open", "/1.0/provisioners", text(200, `{"provisioners":[{"type":"JWK","name":"admin","encryptedKey":"`+
			base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"PBES2-HS256+A128KW","enc":"A256GCM","p2c":2000000000,"p2s":"AAAAAAAAAAAAAAAA"}`))+`.AAAA.AAAA.AAAA.AAAA"}]}`), "rounds"},
		{"names with escapes", "/1.0/provisioners", text(200, `{"provisioners":[{"type":"JWK","name":"\u001b[31m"}]}`), `"\u{1b}[31m"`},
	} {
		t.Run(c.why, func(t *testing.T) {
			f := newFake(t)
			cfg := f.config()
			path := c.path
			if path == "root" {
				path = "/root/" + cfg.Fingerprint
			}
			f.answer[path] = c.answer
			_, err := stepca.Connect(context.Background(), cfg)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.ContainsAny(err.Error(), "\x1b\n") {
				t.Errorf("got %v, want %q in it", err, c.want)
			}
		})
	}
	for _, url := range []string{"", "http://127.0.0.1", "ca.example.com", "https://"} {
		cfg := newFake(t).config()
		cfg.URL = url
		if _, err := stepca.Connect(context.Background(), cfg); err == nil || !strings.Contains(err.Error(), "https://") {
			t.Errorf("url %q: %v", url, err)
		}
	}
}

func TestASilentServerIsGivenUp(t *testing.T) {
	f := newFake(t)
	cfg := f.config()
	cfg.Timeout = 50 * time.Millisecond
	over := make(chan struct{})
	f.answer["/root/"+cfg.Fingerprint] = func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-over:
		}
	}
	defer close(over)
	if _, err := stepca.Connect(context.Background(), cfg); err == nil || !strings.Contains(err.Error(), "did not answer within") {
		t.Errorf("a silent server: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := stepca.Connect(ctx, f.config()); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled context: %v", err)
	}
}

func TestWhatComesBackIsHeldAgainstWhatWasAsked(t *testing.T) {
	stranger := newKey(t)
	for _, c := range []struct {
		why      string
		template func(*x509.Certificate)
		want     string // in the error; with "note: " in the notes
	}{
		{"as asked", nil, ""},
		{"for another key", func(c *x509.Certificate) { c.PublicKey = stranger.Public() }, "for another key"},
		{"a CA", func(c *x509.Certificate) { c.IsCA = true }, "a CA's"},
		{"another subject", func(c *x509.Certificate) { c.Subject = pkix.Name{CommonName: "x"} }, "is read there"},
		{"a group that was not asked for", func(c *x509.Certificate) { c.Subject.Organization = []string{"system:masters"} }, "is read there"},
		{"a name less", func(c *x509.Certificate) { c.DNSNames = nil }, "is not for DNS:etcd-0.example.com"},
		{"no usage", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }, "no serverAuth"},
		{"no digitalSignature", func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment }, "no digitalSignature"},
		{"a name more", func(c *x509.Certificate) { c.DNSNames = append(c.DNSNames, "more.example.com") }, "note: is also for DNS:more.example.com"},
		{"a shorter life", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(2 * time.Hour) }, "note: ends on"},
	} {
		t.Run(c.why, func(t *testing.T) {
			f := newFake(t)
			f.template = c.template
			ca := connect(t, f.config())
			out, err := ca.Leaf(context.Background(), plainSlot, newKey(t), terms(30*24*time.Hour))
			note, isNote := strings.CutPrefix(c.want, "note: ")
			switch {
			case c.want == "" && (err != nil || len(out.Notes) > 0):
				t.Errorf("refused: %v %v", err, out)
			case isNote && (err != nil || !strings.Contains(strings.Join(out.Notes, "\n"), note)):
				t.Errorf("%v, notes %v", err, out)
			case c.want != "" && !isNote && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v, want %q in it", err, c.want)
			}
		})
	}
}

func TestTheTokenSaysWhatIsAsked(t *testing.T) {
	f := newFake(t)
	f.template = func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }
	ca := connect(t, f.config())
	if _, err := ca.Leaf(context.Background(), clientSlot, newKey(t), terms(time.Hour)); err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(f.token["certwright"])
	if err != nil {
		t.Fatal(err)
	}
	want := `{"extKeyUsage":["clientAuth"],"sans":[],"subject":{"commonName":"system:node:worker-0","organization":["system:nodes"]}}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for claim, value := range map[string]any{"iss": provisionerName, "sub": "system:node:worker-0", "aud": f.server.URL + "/1.0/sign"} {
		if f.token[claim] != value {
			t.Errorf("%s is %v, want %v", claim, f.token[claim], value)
		}
	}
	if life := f.token["exp"].(float64) - f.token["iat"].(float64); life > 300 {
		t.Errorf("the token is good for %v seconds", life)
	}
}

func TestRefusedRequests(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		want   string
	}{
		{403, `{"message":"requested duration of 8760h0m0s is more than the authorized maximum certificate duration of 24h1m0s"}`, "--x509-max-dur"},
		{403, `{"message":"dns name \"x\" not allowed"}`, "policy and the template"},
		{401, `{"message":"token already used"}`, "does not accept the token: token already used"},
		{500, `<html>`, "answers 500"},
		{201, `{"crt":""}`, "answers without a certificate"},
		{201, `nonsense`, "does not answer as a step-ca"},
	} {
		f := newFake(t)
		f.answer["/1.0/sign"] = func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.body)
		}
		_, err := connect(t, f.config()).Leaf(context.Background(), plainSlot, newKey(t), issue.Terms{Now: time.Now(), Life: time.Hour})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%d %s: got %v, want %q in it", c.status, c.body, err, c.want)
		}
	}
}

func FuzzASealedKeyNeverPanics(f *testing.F) {
	f.Add(provisionerSealed)
	f.Add("a.b.c.d.e")
	f.Fuzz(func(t *testing.T, sealed string) {
		_ = stepca.OpenJWE(sealed)
	})
}
