package layout_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"certwright/certs"
	"certwright/certs/issue"
	"certwright/certs/topology"
)

// cmCertificate has the fields of cert-manager's Certificate (v1) that we write;
// another one would not decode.
type cmCertificate struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string `yaml:"kind"`
	Metadata   struct {
		Name, Namespace string
		Labels          map[string]string
	} `yaml:"metadata"`
	Spec struct {
		SecretName string `yaml:"secretName"`
		CommonName string `yaml:"commonName"`
		Subject    struct {
			Organizations []string `yaml:"organizations"`
		} `yaml:"subject"`
		DNSNames    []string      `yaml:"dnsNames"`
		IPAddresses []string      `yaml:"ipAddresses"`
		URIs        []string      `yaml:"uris"`
		Duration    time.Duration `yaml:"duration"`
		RenewBefore time.Duration `yaml:"renewBefore"`
		PrivateKey  struct {
			Algorithm      string `yaml:"algorithm"`
			Size           int    `yaml:"size"`
			Encoding       string `yaml:"encoding"`
			RotationPolicy string `yaml:"rotationPolicy"`
		} `yaml:"privateKey"`
		Usages    []string `yaml:"usages"`
		IssuerRef struct {
			Name, Kind, Group string
		} `yaml:"issuerRef"`
	} `yaml:"spec"`
}

// subdomain is the form of an object's name.
var subdomain = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)

// webhook is what cert-manager's webhook and its schema refuse
// (internal/apis/certmanager/validation, ValidateCertificateSpec).
func (c *cmCertificate) webhook() []string {
	var out []string
	s := c.Spec
	bad := func(is bool, what string) {
		if is {
			out = append(out, what)
		}
	}
	bad(c.APIVersion != "cert-manager.io/v1" || c.Kind != "Certificate", "kind")
	bad(!subdomain.MatchString(s.SecretName) || !subdomain.MatchString(c.Metadata.Name) || len(c.Metadata.Name) > 253, "name "+s.SecretName)
	bad(s.IssuerRef.Name == "" || s.IssuerRef.Kind != "ClusterIssuer" || s.IssuerRef.Group != "cert-manager.io", "issuerRef")
	bad(s.CommonName == "" && len(s.DNSNames)+len(s.IPAddresses)+len(s.URIs) == 0, "no name at all")
	bad(len(s.CommonName) > 64, "commonName too long")
	for _, ip := range s.IPAddresses {
		bad(net.ParseIP(ip) == nil, "ipAddresses "+ip)
	}
	switch s.PrivateKey.Algorithm {
	case "RSA":
		bad(s.PrivateKey.Size < 2048 || s.PrivateKey.Size > 8192, "size")
	case "ECDSA":
		bad(!slices.Contains([]int{256, 384, 521}, s.PrivateKey.Size), "size")
	case "Ed25519":
		bad(s.PrivateKey.Size != 0, "size")
	default:
		bad(true, "algorithm")
	}
	bad(s.PrivateKey.Encoding != "PKCS8" || s.PrivateKey.RotationPolicy != "Always", "privateKey")
	bad(s.Duration < time.Hour, "duration")
	bad(s.RenewBefore < 5*time.Minute || s.RenewBefore >= s.Duration, "renewBefore")
	for _, u := range s.Usages {
		bad(!slices.Contains([]string{"digital signature", "key encipherment", "server auth", "client auth"}, u), "usage "+u)
	}
	return out
}

// Every profile, with every kind of key and lives from three hours to ten years.
func TestCertManagersWebhookWouldTakeEveryCertificate(t *testing.T) {
	long := strings.Repeat("n", 60)
	nodes := []topology.Node{{Name: "cp-0", Role: topology.ControlPlane, Addresses: []string{"10.0.0.10"}}, {Name: long, Role: topology.Worker, Addresses: []string{"fd00::1"}}}
	for name, set := range map[string]*certs.Set{
		"kubernetes":        kubernetes(t, nodes, nil),
		"calico":            calico(t, map[string]string{"calico.install": "operator"}),
		"tectonic of hours": made(t, issue.Request{Topology: tectonic(t, nil), LeafLife: 3 * time.Hour}),
		"tectonic rsa":      made(t, issue.Request{Topology: tectonic(t, nil), Algorithm: issue.RSA2048, LeafLife: 87600 * time.Hour}),
		"tectonic p384":     made(t, issue.Request{Topology: tectonic(t, nil), Algorithm: issue.ECDSAP384}),
	} {
		files := render(t, set, "cert-manager")
		leaves := map[string]*topology.Slot{}
		for i := range set.Topology.Slots {
			s := &set.Topology.Slots[i]
			if s.Kind != topology.Leaf || len(s.Subject.CN) > 64 { // which the webhook refuses
				continue
			}
			leaves["demo-"+strings.NewReplacer("/", "-", "@", "-").Replace(string(s.ID))] = s
		}
		seen := 0
		for p, f := range files {
			if !strings.HasPrefix(p, "cert-manager/") || p == "cert-manager/issuers.yaml" {
				continue
			}
			dec := yaml.NewDecoder(bytes.NewReader(f.Data))
			dec.KnownFields(true)
			for {
				var c cmCertificate
				if err := dec.Decode(&c); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Fatalf("%s: %s: %v", name, p, err)
				}
				seen++
				if why := c.webhook(); len(why) > 0 {
					t.Errorf("%s: %s: %v\n%+v", name, c.Metadata.Name, why, c.Spec)
				}
				slot := leaves[c.Metadata.Name]
				if slot == nil {
					t.Errorf("%s: %s is of no slot", name, c.Metadata.Name)
					continue
				}
				same(t, name, &c, slot, set.Pairs[slot.ID])
			}
		}
		if seen != len(leaves) {
			t.Errorf("%s: %d Certificates for %d slots", name, seen, len(leaves))
		}
		if told := strings.Contains(string(files["NEXT-STEPS.md"].Data), "Left out is what has a common name of more than 64 characters"); told != (name == "kubernetes") {
			t.Errorf("%s: that some are left out is told: %v", name, told)
		}
	}
}

// same holds a Certificate against the certificate that the set has.
func same(t *testing.T, name string, c *cmCertificate, slot *topology.Slot, pair *certs.Pair) {
	t.Helper()
	leaf := pair.Leaf()
	if c.Spec.CommonName != leaf.Subject.CommonName || !slices.Equal(c.Spec.Subject.Organizations, leaf.Subject.Organization) ||
		!slices.Equal(c.Spec.DNSNames, leaf.DNSNames) || len(c.Spec.IPAddresses) != len(leaf.IPAddresses) || len(c.Spec.URIs) != len(leaf.URIs) {
		t.Errorf("%s: %s asks for another subject or other names than %v", name, slot.ID, leaf.Subject)
	}
	if d := leaf.NotAfter.Sub(leaf.NotBefore) - c.Spec.Duration; d < 0 || d > time.Hour {
		t.Errorf("%s: %s asks for %v, and has %v", name, slot.ID, c.Spec.Duration, leaf.NotAfter.Sub(leaf.NotBefore))
	}
	want := ""
	switch k := leaf.PublicKey.(type) {
	case *rsa.PublicKey:
		if want = "RSA"; c.Spec.PrivateKey.Size != k.N.BitLen() || !slices.Contains(c.Spec.Usages, "key encipherment") {
			want = "another RSA"
		}
	case *ecdsa.PublicKey:
		if want = "ECDSA"; c.Spec.PrivateKey.Size != k.Params().BitSize || slices.Contains(c.Spec.Usages, "key encipherment") {
			want = "another ECDSA"
		}
	case ed25519.PublicKey:
		want = "Ed25519"
	}
	if c.Spec.PrivateKey.Algorithm != want || len(c.Spec.Usages) < 1+len(slot.Usages) {
		t.Errorf("%s: %s asks for %+v, %v", name, slot.ID, c.Spec.PrivateKey, c.Spec.Usages)
	}
}

func TestKubeletsAreHandedOverToTheCluster(t *testing.T) {
	set := kubernetes(t, threeNodes, nil)
	files := render(t, set, "tree", "flags", "kubelet-csr")
	flags := string(files["kubelet-csr/kube-controller-manager.txt"].Data)
	for _, want := range []string{
		"--cluster-signing-kubelet-client-cert-file=/etc/kubernetes/pki/ca.crt\n", "--cluster-signing-kubelet-client-key-file=/etc/kubernetes/pki/ca.key\n",
		"--cluster-signing-kubelet-serving-cert-file=/etc/kubernetes/pki/ca.crt\n", "--cluster-signing-kubelet-serving-key-file=/etc/kubernetes/pki/ca.key\n",
		"--cluster-signing-duration=8760h\n",
	} {
		if !strings.Contains(flags, want) {
			t.Errorf("%q is not in\n%s", want, flags)
		}
	}
	if strings.Contains(flags, "--cluster-signing-cert-file") {
		t.Error("the controller manager does not start with both kinds of signing files")
	}
	var config map[string]any
	if err := yaml.Unmarshal(files["kubelet-csr/kubelet.yaml"].Data, &config); err != nil || config["rotateCertificates"] != true || config["serverTLSBootstrap"] != true || config["kind"] != "KubeletConfiguration" {
		t.Errorf("%v, %v", config, err)
	}
	if conf := string(files["kubelet-csr/bootstrap-kubelet.conf"].Data); !strings.Contains(conf, "server: https://demo-api.example.com:6443\n") || !strings.Contains(conf, "token: TOKEN") {
		t.Errorf("a node that joins dials\n%s", conf)
	}
	steps := string(files["NEXT-STEPS.md"].Data)
	for _, want := range []string{"kubernetes.io/kube-apiserver-client-kubelet", "kubernetes.io/kubelet-serving", "kubectl certificate approve NAME"} {
		if !strings.Contains(steps, want) {
			t.Errorf("NEXT-STEPS.md has no %s", want)
		}
	}
	kubectl, err := exec.LookPath("kubectl")
	if err != nil {
		t.Skip("kubectl is not here")
	}
	dir := t.TempDir()
	write(t, dir, files)
	out, err := exec.Command(kubectl, "label", "--local", "-f", filepath.Join(dir, "kubelet-csr/rbac.yaml"), "read=yes", "-o", "name").CombinedOutput()
	if err != nil || strings.Count(string(out), "clusterrolebinding") != 3 {
		t.Errorf("%v\n%s", err, out)
	}
	out, err = exec.Command(kubectl, "--kubeconfig", filepath.Join(dir, "kubelet-csr/bootstrap-kubelet.conf"), "config", "view", "--minify", "-o", "jsonpath={.users[0].user.token}").CombinedOutput()
	if err != nil || len(out) == 0 {
		t.Errorf("%v\n%s", err, out)
	}
}
