// Package stepca asks a step-ca for certificates, over its HTTPS API: it is a
// source of signatures behind the same interface as a CA's key in hand
// (issue.Source). Start with Connect. It proves who it is with the key of a
// provisioner of type JWK, in a token for each request, and sends signing
// requests: no private key leaves this machine.
//
// It believes a server only by the root that the plan pins, reads bounded
// answers within a bounded time, follows no redirect and writes nothing.
package stepca

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"certwright/certs/issue"
	"certwright/certs/topology"
	"certwright/certs/untrusted"
)

// Config says which CA to ask, and as whom.
type Config struct {
	URL         string // https://ca.example.com:9000
	Root        []byte // the root's certificate, PEM; may be empty with a Fingerprint
	Fingerprint string // of the root: SHA-256, 64 hexadecimal digits
	Provisioner string // its name
	Password    []byte // that opens the provisioner's key; the caller clears it
	Now         func() time.Time
	Timeout     time.Duration // of one request; default 30 s
	// Transport is for tests; nil makes one.
	Transport http.RoundTripper
}

// CA is a step-ca that is asked. It is an issue.Source.
type CA struct {
	cfg   Config
	base  *url.URL
	http  *http.Client
	chain []*x509.Certificate
	root  *x509.Certificate
	key   *provisionerKey
}

// Connect finds the CA, sees that it is the one that is pinned, and opens the
// provisioner's key. It asks for no certificate yet. The error is an *Error.
func Connect(ctx context.Context, cfg Config) (*CA, error) {
	base, err := url.Parse(strings.TrimRight(cfg.URL, "/"))
	if err != nil || base.Scheme != "https" || base.Host == "" {
		return nil, cfg.fail("", "is not the address of a CA", "write it as https://ca.example.com:9000", nil)
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 30 * time.Second
	}
	c := &CA{cfg: cfg, base: base}
	if c.root, err = c.pinned(ctx); err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AddCert(c.root)
	c.http = c.client(&tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool, Time: cfg.Now})
	if err := c.findChain(ctx); err != nil {
		return nil, err
	}
	return c, c.findKey(ctx)
}

// Error is what went wrong with a step-ca, with what to do about it.
type Error struct {
	URL  string
	Slot topology.SlotID // "" before a certificate is asked for
	What string
	Fix  string
	Err  error // may be nil
}

func (e *Error) Error() string {
	text := "step-ca " + untrusted.Text(e.URL).Max(200)
	if e.Slot != "" {
		text += ", for " + string(e.Slot)
	}
	text += ": " + e.What
	if e.Err != nil {
		text += fmt.Sprintf(" (%s)", untrusted.Text(e.Err.Error()).Max(400))
	}
	return text + "; " + e.Fix
}

func (e *Error) Unwrap() error { return e.Err }

//go:noinline // many callers, none of them hot
func (c Config) fail(slot topology.SlotID, what, fix string, err error) error {
	return &Error{URL: c.URL, Slot: slot, What: what, Fix: fix, Err: err}
}

// Chain is the intermediate that signs, and the root above it.
func (c *CA) Chain() []*x509.Certificate { return c.chain }

// Leaf asks for the slot's certificate.
func (c *CA) Leaf(ctx context.Context, slot *topology.Slot, key crypto.Signer, terms issue.Terms) (*issue.Issued, error) {
	csr, err := issue.NewCSR(slot, key, c.chain[0])
	if err != nil {
		return nil, err
	}
	token, err := c.token(slot)
	if err != nil {
		return nil, err
	}
	answer, err := c.sign(ctx, slot, csr, token, terms)
	if err != nil {
		return nil, err
	}
	out, err := issue.Accept(slot, key.Public(), answer, c.chain, terms)
	var altered *issue.Altered
	if errors.As(err, &altered) {
		return nil, c.cfg.fail(slot.ID, untrusted.Text(altered.Error()).Max(600), "give the provisioner "+quote(c.cfg.Provisioner)+" a certificate template that takes what certwright asks for (docs/life.md has it: options.x509.template)", nil)
	}
	if err != nil {
		return nil, c.cfg.fail(slot.ID, "what came back cannot be taken", "see the CA's log", err)
	}
	return out, nil
}

// quote shows a name that may be anybody's.
func quote(s string) string { return `"` + untrusted.Text(s).Max(80) + `"` }
