package stepca

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"certwright/certs/issue"
	"certwright/certs/topology"
	"certwright/certs/untrusted"
)

// maxAnswer bounds what is read of an answer, in bytes: a list of provisioners
// may be long, and a chain is short.
const maxAnswer = 1 << 20

// errTooLong is an answer above maxAnswer.
var errTooLong = errors.New("the answer is longer than any of a CA")

func (c *CA) client(config *tls.Config) *http.Client {
	transport := c.cfg.Transport
	if transport == nil {
		transport = &http.Transport{TLSClientConfig: config, Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: false}
	}
	return &http.Client{
		Transport: transport, Timeout: c.cfg.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// refused is an answer that is not the one hoped for.
type refused struct {
	status  int
	message string
}

func (r *refused) Error() string { return fmt.Sprintf("%d: %s", r.status, r.message) }

// ask makes one request and reads its answer as JSON into out.
func (c *CA) ask(ctx context.Context, client *http.Client, method, path string, body, out any) error {
	var payload io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return err
		}
		payload = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base.String()+path, payload)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "certwright")
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return err
	}
	if len(data) > maxAnswer {
		return errTooLong
	}
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusCreated {
		var said struct {
			Message string `json:"message"`
		}
		_ = json.Unmarshal(data, &said) // what is no JSON has no message
		return &refused{resp.StatusCode, strings.TrimSpace(said.Message)}
	}
	return json.Unmarshal(data, out)
}

// unreachable puts an error of the connection into words.
func (c *CA) unreachable(err error) error {
	var (
		unknown  x509.UnknownAuthorityError
		host     x509.HostnameError
		invalid  x509.CertificateInvalidError
		answered *refused
		urlErr   *url.Error
	)
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, errTooLong):
		return c.cfg.fail("", "answers with more than a CA would", "see whether the url is that of a step-ca", err)
	case errors.As(err, &unknown):
		return c.cfg.fail("", "its certificate is not of the root that is pinned", "give the root of this CA (step ca root), or the address of the CA of that root", err)
	case errors.As(err, &host):
		return c.cfg.fail("", "its certificate is not for this name", "use a name that stands in dnsNames of its ca.json", err)
	case errors.As(err, &invalid):
		return c.cfg.fail("", "its certificate is not valid", "see the clocks of both machines, and the CA's certificates", err)
	case errors.As(err, &answered):
		return c.cfg.fail("", "does not answer as a step-ca does", "see whether the url is that of a step-ca", err)
	case errors.As(err, &urlErr) && urlErr.Timeout():
		return c.cfg.fail("", fmt.Sprintf("did not answer within %s", c.cfg.Timeout), "see whether it runs, and whether a firewall is between", err)
	case errors.As(err, &urlErr):
		return c.cfg.fail("", "cannot be reached", "see whether it runs and whether the url is right: step-ca ca.json", urlErr.Err)
	}
	return c.cfg.fail("", "does not answer as a step-ca does", "see whether the url is that of a step-ca", err)
}

// certificate is a PEM block in JSON, as step-ca writes them.
type certificate struct{ x *x509.Certificate }

func (c *certificate) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	if text == "" {
		return nil
	}
	block, _ := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE" {
		return errors.New("no certificate where one should be")
	}
	var err error
	c.x, err = x509.ParseCertificate(block.Bytes)
	return err
}

// pinned is the root: from the file of the plan, or from the CA itself by its
// fingerprint, which alone decides whether it is believed.
func (c *CA) pinned(ctx context.Context) (*x509.Certificate, error) {
	want := strings.ToLower(strings.ReplaceAll(c.cfg.Fingerprint, ":", ""))
	if len(c.cfg.Root) > 0 {
		block, _ := pem.Decode(c.cfg.Root)
		if block == nil {
			return nil, c.cfg.fail("", "the file of its root holds no certificate in PEM", "write it with: step ca root root.crt", nil)
		}
		root, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, c.cfg.fail("", "the file of its root cannot be read", "write it with: step ca root root.crt", err)
		}
		if want != "" && fingerprint(root) != want {
			return nil, c.cfg.fail("", "the file of its root has another fingerprint than the plan: "+fingerprint(root), "correct the one or the other", nil)
		}
		return root, nil
	}
	// Nothing is believed of this answer but what has the fingerprint.
	client := c.client(&tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true})
	defer client.CloseIdleConnections()
	var answer struct {
		Root certificate `json:"ca"`
	}
	err := c.ask(ctx, client, http.MethodGet, "/root/"+want, nil, &answer)
	var no *refused
	switch {
	case errors.As(err, &no) && no.status == http.StatusNotFound:
		return nil, c.cfg.fail("", "has no root of the fingerprint that is pinned", "compare it with: step certificate fingerprint root_ca.crt", nil)
	case err != nil:
		return nil, c.unreachable(err)
	case answer.Root.x == nil || fingerprint(answer.Root.x) != want:
		return nil, c.cfg.fail("", "sends another root than the one whose fingerprint is pinned", "somebody may be in between: compare it with step certificate fingerprint root_ca.crt, on the CA itself", nil)
	}
	return answer.Root.x, nil
}

func fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}

// findChain asks for the intermediate that signs.
func (c *CA) findChain(ctx context.Context) error {
	var answer struct {
		Certificates []certificate `json:"crts"`
	}
	if err := c.ask(ctx, c.http, http.MethodGet, "/1.0/intermediates", nil, &answer); err != nil {
		var no *refused
		if errors.As(err, &no) && no.status == http.StatusNotFound {
			return c.cfg.fail("", "does not say which intermediate signs", "step-ca does since version 0.26: take a newer one", err)
		}
		return c.unreachable(err)
	}
	for _, one := range answer.Certificates {
		if one.x != nil && one.x.IsCA && one.x.CheckSignatureFrom(c.root) == nil {
			c.chain = []*x509.Certificate{one.x, c.root}
			return nil
		}
	}
	return c.cfg.fail("", "names no intermediate that the pinned root signed", "see crt in its ca.json", nil)
}

// signRequest is the body of POST /1.0/sign.
type signRequest struct {
	CSR      string    `json:"csr"`
	Token    string    `json:"ott"`
	NotAfter time.Time `json:"notAfter"`
}

func (c *CA) sign(ctx context.Context, slot *topology.Slot, csr []byte, token string, terms issue.Terms) ([]*x509.Certificate, error) {
	end := terms.Now.Add(terms.Life)
	if end.After(c.chain[0].NotAfter) {
		end = c.chain[0].NotAfter
	}
	var answer struct {
		Leaf  certificate   `json:"crt"`
		CA    certificate   `json:"ca"`
		Chain []certificate `json:"certChain"`
	}
	err := c.ask(ctx, c.http, http.MethodPost, "/1.0/sign", signRequest{string(issue.CSRPEM(csr)), token, end.UTC().Truncate(time.Second)}, &answer)
	var no *refused
	if errors.As(err, &no) {
		return nil, c.notSigned(slot, no, terms)
	}
	if err != nil {
		return nil, c.unreachable(err)
	}
	got := []*x509.Certificate{answer.Leaf.x}
	for _, one := range slices.Concat(answer.Chain, []certificate{answer.CA}) {
		if one.x != nil && !slices.ContainsFunc(got, one.x.Equal) {
			got = append(got, one.x)
		}
	}
	if got[0] == nil {
		return nil, c.cfg.fail(slot.ID, "answers without a certificate", "see the CA's log", nil)
	}
	return got, nil
}

// notSigned says why the CA signs nothing, as far as its answer tells.
func (c *CA) notSigned(slot *topology.Slot, no *refused, terms issue.Terms) error {
	said := untrusted.Text(no.message).Max(300)
	name := quote(c.cfg.Provisioner)
	hours := fmt.Sprintf("%dh", int(terms.Life.Hours()))
	switch {
	case strings.Contains(no.message, "duration"):
		return c.cfg.fail(slot.ID, fmt.Sprintf("does not sign for as long as %s: %s", hours, said),
			fmt.Sprintf("ask for less (validity.leaf in the plan), or let the provisioner: step ca provisioner update %s --x509-max-dur=%s", name, hours), nil)
	case no.status == http.StatusUnauthorized:
		return c.cfg.fail(slot.ID, "does not accept the token: "+said,
			"see the name of the provisioner, that its key is of type JWK, and the clocks of both machines", nil)
	case no.status == http.StatusForbidden:
		return c.cfg.fail(slot.ID, "refuses the request: "+said, "see the policy and the template of provisioner "+name, nil)
	}
	return c.cfg.fail(slot.ID, fmt.Sprintf("answers %d: %s", no.status, said), "see the CA's log", nil)
}
