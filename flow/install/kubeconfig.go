package install

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"certwright/certs"
	"certwright/certs/check"
	"certwright/certs/material"
	"certwright/certs/topology"
	"certwright/certs/untrusted"
)

// kubeconfig is what counts of client-go's Config: who the current context is,
// and whom it trusts where. Keys stay in the document.
type kubeconfig struct {
	Current  string              `yaml:"current-context"`
	Contexts []kubeconfigContext `yaml:"contexts"`
	Clusters []struct {
		Name    string            `yaml:"name"`
		Cluster kubeconfigCluster `yaml:"cluster"`
	} `yaml:"clusters"`
	Users []struct {
		Name string         `yaml:"name"`
		User map[string]any `yaml:"user"`
	} `yaml:"users"`
}

type kubeconfigContext struct {
	Name    string `yaml:"name"`
	Context struct {
		Cluster string `yaml:"cluster"`
		User    string `yaml:"user"`
	} `yaml:"context"`
}

type kubeconfigCluster struct {
	Server     string `yaml:"server"`
	ServerName string `yaml:"tls-server-name"`
	CAFile     string `yaml:"certificate-authority"`
	CAData     string `yaml:"certificate-authority-data"`
	Insecure   bool   `yaml:"insecure-skip-tls-verify"`
}

// parseKubeconfig reads what material has taken for a kubeconfig, whose size and
// tokens are bounded therefore. Nil when it has not a kubeconfig's shape.
func parseKubeconfig(data []byte) (k *kubeconfig) {
	// The parser turns its own panics into errors; should one get through, the
	// text is just no kubeconfig.
	defer func() {
		if recover() != nil {
			k = nil
		}
	}()
	k = &kubeconfig{}
	if yaml.NewDecoder(bytes.NewReader(data)).Decode(k) != nil {
		return nil
	}
	for i := range k.Users { // only which fields there are is of interest
		for field, v := range k.Users[i].User {
			if v != nil && v != "" {
				k.Users[i].User[field] = true
			} else {
				delete(k.Users[i].User, field)
			}
		}
	}
	return k
}

// configJudge judges the kubeconfigs of a folder against the set beside them.
type configJudge struct {
	set   *certs.Set
	doors map[topology.SlotID]*doors
	now   time.Time
	slot  *topology.Slot
	file  string
	found []check.Finding
}

// report adds a finding under a rule of the catalogue.
func (c *configJudge) report(f check.Finding) {
	rule, _ := check.RuleByID(f.Rule)
	if f.Severity == "" {
		f.Severity = rule.Severity
	}
	if f.Why == "" {
		f.Why = rule.Why
	}
	if f.Fix == "" {
		f.Fix = strings.ReplaceAll(rule.Fix, "{file}", untrusted.Text(c.file).ShellArg())
	}
	f.Slot, f.File = c.slot.ID, untrusted.Text(c.file).String()
	c.found = append(c.found, f)
}

// judge says what is wrong with one kubeconfig of a slot. own says that the
// slot's material comes from it, so that key and certificate are judged already.
func (c *configJudge) judge(k *kubeconfig, doc *material.Document, own bool) []check.Finding {
	c.found = nil
	cluster, user := c.context(k)
	if user != nil {
		c.user(user, doc, own)
	}
	if cluster != nil {
		c.authority(cluster)
		c.server(cluster)
	}
	return c.found
}

// operated says whether programs read the slot's kubeconfig, and not people
// with kubectl, who may name a context.
func (c *configJudge) operated() bool {
	return slices.ContainsFunc(c.slot.Consumers, func(u topology.Consumer) bool {
		return u.As == topology.AsKubeconfig && u.Component != "kubectl" && u.Component != "kubeadm"
	})
}

// context finds the cluster and the user of the current context, or where there
// is none the only ones there are.
func (c *configJudge) context(k *kubeconfig) (cluster *kubeconfigCluster, user map[string]any) {
	bad := func(message, has string) {
		f := check.Finding{
			Rule: "kubeconfig-context", Message: message, Has: has, Needs: "the name of one of its contexts",
			Fix: "$ kubectl config --kubeconfig " + untrusted.Text(c.file).ShellArg() + " use-context NAME",
		}
		if !c.operated() {
			f.Severity = check.Warning
		}
		c.report(f)
	}
	var clusterName, userName string
	i := slices.IndexFunc(k.Contexts, func(x kubeconfigContext) bool { return k.Current != "" && x.Name == k.Current })
	switch {
	case k.Current == "":
		bad("current-context is not set, so it is nobody's", "no current-context")
	case i < 0:
		bad(fmt.Sprintf("current-context is %s, and there is no context of that name", quoted(k.Current)), "current-context "+quoted(k.Current))
	default:
		clusterName, userName = k.Contexts[i].Context.Cluster, k.Contexts[i].Context.User
	}
	for j := range k.Clusters {
		if k.Clusters[j].Name == clusterName || i < 0 && len(k.Clusters) == 1 {
			cluster = &k.Clusters[j].Cluster
		}
	}
	for j := range k.Users {
		if k.Users[j].Name == userName || i < 0 && len(k.Users) == 1 {
			user = k.Users[j].User
			if user == nil {
				user = map[string]any{}
			}
		}
	}
	if i >= 0 && cluster == nil {
		bad(fmt.Sprintf("the current context names the cluster %s, which is not in it", quoted(clusterName)), "context "+quoted(k.Current))
	}
	if i >= 0 && user == nil {
		bad(fmt.Sprintf("the current context names the user %s, who is not in it", quoted(userName)), "context "+quoted(k.Current))
	}
	return cluster, user
}

func quoted(s string) string { return `"` + untrusted.Text(s).Max(100) + `"` }

// user judges who the current context is.
func (c *configJudge) user(user map[string]any, doc *material.Document, own bool) {
	if user["client-certificate-data"] == nil && user["client-certificate"] == nil {
		for _, other := range []string{"token", "tokenFile", "exec", "auth-provider", "username"} {
			if user[other] != nil {
				return // known by something else than a certificate
			}
		}
		c.report(check.Finding{Rule: "kubeconfig-user", Message: "the user of the current context has no client certificate, and nothing else to be known by", Has: "no client-certificate-data", Needs: c.slot.Title + "'s certificate and key"})
		return
	}
	if user["client-certificate-data"] != nil && user["client-key-data"] == nil && user["client-key"] == nil {
		c.report(check.Finding{Rule: "kubeconfig-user", Message: "the user of the current context has a client certificate and no key to it", Has: "client-certificate-data alone", Needs: "client-key-data"})
		return
	}
	if own {
		return
	}
	var leaf *x509.Certificate
	for _, x := range doc.Certificates {
		if x.X509 != nil && strings.HasPrefix(x.Source, "users/") {
			leaf = x.X509
			break
		}
	}
	if key := doc.Signer(); leaf != nil && key != nil && !material.SamePublicKey(leaf.PublicKey, key.Public()) {
		c.report(check.Finding{Rule: "key-mismatch", Message: "the key in the kubeconfig is not that of the client certificate in it", Has: material.KeyWords(key.Public()) + " " + material.PublicKeyFingerprint(key.Public()), Needs: material.KeyWords(leaf.PublicKey) + " " + material.PublicKeyFingerprint(leaf.PublicKey), Fix: "put the key in that was made with the request for this certificate"})
	}
}

// doors are the API servers that the kubeconfigs of one slot of the profile lead
// to, on whatever node, and the authority that the client trusts.
type doors struct {
	authority topology.AuthorityID
	servers   []topology.SlotID
}

// doorsOf lists them by the slot's name in the profile: a large cluster's
// connections are a sample, so one node's speak for all.
func doorsOf(t *topology.Topology) map[topology.SlotID]*doors {
	bases := map[topology.SlotID][]topology.SlotID{}
	for i := range t.Slots {
		if s := &t.Slots[i]; s.Kind == topology.Leaf && s.Server() {
			bases[s.ID.Base()] = append(bases[s.ID.Base()], s.ID)
		}
	}
	out := map[topology.SlotID]*doors{}
	type door struct{ client, server topology.SlotID }
	seen := map[door]bool{}
	for _, e := range t.Edges {
		d := door{e.Client.Slot.Base(), e.Server.Slot.Base()}
		if e.ServerCA == "" || e.Identity != topology.IdentityKubernetes || seen[d] {
			continue
		}
		seen[d] = true
		if out[d.client] == nil {
			out[d.client] = &doors{authority: e.ServerCA}
		}
		out[d.client].servers = append(out[d.client].servers, bases[d.server]...)
	}
	return out
}

func (c *configJudge) servers() (authority topology.AuthorityID, servers []topology.SlotID) {
	if d := c.doors[c.slot.ID.Base()]; d != nil {
		return d.authority, d.servers
	}
	return "", nil
}

// authority judges whom the client trusts: it must verify the API server as it
// is in the folder, or where that is not there be the CA that is.
func (c *configJudge) authority(k *kubeconfigCluster) {
	id, servers := c.servers()
	switch {
	case k.Insecure:
		c.report(check.Finding{Rule: "kubeconfig-server", Severity: check.Warning, Message: "insecure-skip-tls-verify is set, so the API server is not verified at all", Has: "insecure-skip-tls-verify: true", Needs: "certificate-authority-data", Fix: "drop it and embed the CA's certificate"})
		return
	case k.CAData == "" && k.CAFile == "":
		c.report(check.Finding{Rule: "unknown-authority", Message: "no CA is embedded, so the client trusts the system's roots alone", Has: "no certificate-authority-data", Needs: "the CA of " + string(id), Fix: "embed the CA's certificate as certificate-authority-data"})
		return
	case k.CAData == "" || id == "":
		return // a file on the machine that it is for
	}
	anchor := c.set.Anchor(id)
	if anchor == nil {
		return
	}
	var embedded []*x509.Certificate
	if data, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(k.CAData), "")); err == nil {
		for b, rest := pem.Decode(data); b != nil; b, rest = pem.Decode(rest) {
			if x, err := x509.ParseCertificate(b.Bytes); err == nil && b.Type == "CERTIFICATE" {
				embedded = append(embedded, x)
			}
		}
	}
	if slices.ContainsFunc(embedded, func(x *x509.Certificate) bool {
		return bytes.Equal(x.RawSubject, anchor.RawSubject) && material.SamePublicKey(x.PublicKey, anchor.PublicKey)
	}) || c.verifies(embedded, servers) {
		return
	}
	var has []string
	for _, x := range embedded {
		has = append(has, material.Subject(x).Max(80)+" "+material.PublicKeyFingerprint(x.PublicKey))
	}
	if len(has) == 0 {
		has = []string{"no certificate"}
	}
	c.report(check.Finding{
		Rule: "wrong-authority", Message: fmt.Sprintf("the CA embedded in the kubeconfig is not the CA of %s: the client refuses the API server", id),
		Has: strings.Join(has, ", "), Needs: material.Subject(anchor).Max(80) + " " + material.PublicKeyFingerprint(anchor.PublicKey),
		Fix: "embed the CA's certificate that the API server's is issued by, as certificate-authority-data",
	})
}

// verifies says whether some API server of the folder is believed with the given CAs.
func (c *configJudge) verifies(cas []*x509.Certificate, servers []topology.SlotID) bool {
	roots := x509.NewCertPool()
	for _, x := range cas {
		roots.AddCert(x)
	}
	for _, id := range servers {
		if p := c.set.Pairs[id]; p.Leaf() != nil && len(cas) > 0 {
			opts := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool(), CurrentTime: c.now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}
			for _, x := range p.Certificates[1:] {
				opts.Intermediates.AddCert(x)
			}
			if _, err := p.Leaf().Verify(opts); err == nil {
				return true
			}
		}
	}
	return false
}

// server judges the address: some API server of the folder must answer to it.
func (c *configJudge) server(k *kubeconfigCluster) {
	u, err := url.Parse(k.Server)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" {
		c.report(check.Finding{Rule: "kubeconfig-server", Message: "server is not an https URL, so no client certificate is ever shown", Has: "server " + quoted(k.Server), Needs: "https://HOST:6443"})
		return
	}
	host := u.Hostname()
	if k.ServerName != "" {
		host = k.ServerName
	}
	_, servers := c.servers()
	var names []string
	for _, id := range servers {
		leaf := c.set.Pairs[id].Leaf()
		switch {
		case leaf == nil:
		case k.Insecure || leaf.VerifyHostname(host) == nil:
			return
		case len(names) == 0:
			for _, n := range material.SANs(leaf) {
				names = append(names, n.String())
			}
		}
	}
	if len(names) == 0 {
		return // no API server is here, or it has no names: its own slot says so
	}
	f := check.Finding{Rule: "san-missing", Has: untrusted.Text(strings.Join(names, ", ")).String(), Needs: "DNS:" + untrusted.Text(host).Max(100)}
	if _, err := netip.ParseAddr(host); err == nil {
		f.Rule, f.Needs = "san-missing-ip", "IP:"+untrusted.Text(host).Max(100)
	}
	f.Message = fmt.Sprintf("server is %s, and no API server's certificate here covers it", quoted(k.Server))
	f.Fix = "name an address that the API server's certificate has, or issue that certificate again with " + f.Needs
	c.report(f)
}
