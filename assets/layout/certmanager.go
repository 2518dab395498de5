package layout

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"iter"
	"strings"
	"time"

	"certwright/certs/topology"
)

const certManagerDir = "cert-manager/"

// certManagerNamespace is where cert-manager looks for the Secrets of
// ClusterIssuers, unless it was told --cluster-resource-namespace.
const certManagerNamespace = "cert-manager"

// certManager hands the set over to cert-manager: a CA's Secret and a
// ClusterIssuer for each authority whose key is here, and a Certificate for
// each slot that one of them signs, those of a node in a file of its own.
func certManager(j *job) iter.Seq2[File, error] {
	return func(yield func(File, error) bool) {
		if !j.t.Partial {
			if f, err := j.issuers(); !yield(f, err) || err != nil {
				return
			}
		}
		byNode := map[string][]*topology.Slot{}
		for i := range j.t.Slots {
			if s := &j.t.Slots[i]; s.Kind == topology.Leaf && j.signs(s.Authority) && !tooLong(s) {
				byNode[s.Node] = append(byNode[s.Node], s)
			}
		}
		write := func(path string, list []*topology.Slot) bool {
			if len(list) == 0 {
				return true
			}
			f, err := j.certificates(list)
			f.Path = path
			return yield(f, err) && err == nil
		}
		if !j.t.Partial && !write(certManagerDir+"certificates.yaml", byNode[""]) || !j.several() {
			return
		}
		for _, n := range j.here() {
			if !write(certManagerDir+nodesDir+n.Name+".yaml", byNode[n.Name]) {
				return
			}
		}
	}
}

// tooLong says that the name of a user is longer than cert-manager's webhook
// takes a common name, as that of a node with a long name may be.
func tooLong(s *topology.Slot) bool { return len(s.Subject.CN) > 64 }

// signs says whether the key of an authority is here.
func (j *job) signs(a topology.AuthorityID) bool {
	s := j.t.CASlot(a)
	return s != nil && j.set.Pairs[s.ID].Key != nil
}

// issuerName is the name of an authority's Secret and of its ClusterIssuer.
func (j *job) issuerName(a topology.AuthorityID) string {
	return j.clusterName() + "-" + string(a) + "-ca"
}

type clusterIssuer struct {
	APIVersion string   `yaml:"apiVersion"`
	Kind       string   `yaml:"kind"`
	Metadata   metadata `yaml:"metadata"`
	Spec       struct {
		CA struct {
			SecretName string `yaml:"secretName"`
		} `yaml:"ca"`
	} `yaml:"spec"`
}

func (j *job) issuers() (File, error) {
	f := File{Path: certManagerDir + "issuers.yaml"}
	for _, a := range j.t.Authorities {
		if !j.signs(a.ID) {
			continue
		}
		slot := j.t.CASlot(a.ID)
		cert, _, err := j.content(slot, topology.FieldBundle)
		if err != nil {
			return f, err
		}
		key, _, err := j.content(slot, topology.FieldKey)
		if err != nil {
			return f, err
		}
		f.holds(cert)
		f.holds(key)
		secret := object{APIVersion: "v1", Kind: topology.KindSecret, Type: "kubernetes.io/tls"}
		secret.Metadata = metadata{Name: j.issuerName(a.ID), Namespace: certManagerNamespace, Labels: labels()}
		secret.Data = map[string]string{
			"tls.crt": base64.StdEncoding.EncodeToString(cert.Data),
			"tls.key": base64.StdEncoding.EncodeToString(key.Data),
		}
		issuer := clusterIssuer{APIVersion: "cert-manager.io/v1", Kind: "ClusterIssuer"}
		issuer.Metadata = metadata{Name: j.issuerName(a.ID), Labels: labels()}
		issuer.Spec.CA.SecretName = j.issuerName(a.ID)
		for _, v := range []any{secret, issuer} {
			if err := f.add(v); err != nil {
				return f, err
			}
		}
	}
	if len(f.Data) == 0 {
		return f, fmt.Errorf("render the layout cert-manager: it needs a CA's key, and none was made or handed over; leave the layout out")
	}
	return f, nil
}

// certificate is cert-manager's Certificate, as far as we write it.
type certificate struct {
	APIVersion string          `yaml:"apiVersion"`
	Kind       string          `yaml:"kind"`
	Metadata   metadata        `yaml:"metadata"`
	Spec       certificateSpec `yaml:"spec"`
}

type certificateSpec struct {
	SecretName  string            `yaml:"secretName"`
	CommonName  string            `yaml:"commonName,omitempty"`
	Subject     *certificateNames `yaml:"subject,omitempty"`
	DNSNames    []string          `yaml:"dnsNames,omitempty"`
	IPAddresses []string          `yaml:"ipAddresses,omitempty"`
	URIs        []string          `yaml:"uris,omitempty"`
	Duration    string            `yaml:"duration"`
	RenewBefore string            `yaml:"renewBefore"`
	PrivateKey  certificateKey    `yaml:"privateKey"`
	Usages      []string          `yaml:"usages"`
	IssuerRef   issuerRef         `yaml:"issuerRef"`
}

type certificateNames struct {
	Organizations []string `yaml:"organizations"`
}

type certificateKey struct {
	Algorithm      string `yaml:"algorithm"`
	Size           int    `yaml:"size,omitempty"` // bits
	Encoding       string `yaml:"encoding"`
	RotationPolicy string `yaml:"rotationPolicy"`
}

type issuerRef struct {
	Name  string `yaml:"name"`
	Kind  string `yaml:"kind"`
	Group string `yaml:"group"`
}

func (j *job) certificates(list []*topology.Slot) (File, error) {
	f := File{Mode: modePublic, Kind: KindConfig}
	for _, s := range list {
		if err := f.add(j.certificate(s)); err != nil {
			return f, fmt.Errorf("render the Certificate of %s: %w", s.ID, err)
		}
	}
	return f, nil
}

// certificate asks for what the set has. The usages are always written: those
// that cert-manager takes by itself are a server's, and wrong for clients.
func (j *job) certificate(s *topology.Slot) certificate {
	p := j.set.Pairs[s.ID]
	out := certificate{APIVersion: "cert-manager.io/v1", Kind: "Certificate"}
	name := j.clusterName() + "-" + strings.NewReplacer("/", "-", "@", "-").Replace(string(s.ID))
	out.Metadata = metadata{Name: name, Labels: labels()}
	out.Spec = certificateSpec{
		SecretName: name, CommonName: s.Subject.CN,
		DNSNames: s.IssuedNames(topology.DNSName), IPAddresses: s.IssuedNames(topology.IPAddress), URIs: s.IssuedNames(topology.URIName),
		IssuerRef: issuerRef{j.issuerName(s.Authority), "ClusterIssuer", "cert-manager.io"},
	}
	if secret, ok := j.tlsSecret(s.ID); ok {
		out.Metadata.Namespace, out.Spec.SecretName = secret.Namespace, secret.Name
	}
	if len(s.Subject.O) > 0 {
		out.Spec.Subject = &certificateNames{s.Subject.O}
	}
	out.Spec.Duration, out.Spec.RenewBefore = lifetime(p.Leaf().NotAfter.Sub(p.Leaf().NotBefore))
	out.Spec.Usages = []string{"digital signature"}
	out.Spec.PrivateKey = certificateKey{Encoding: "PKCS8", RotationPolicy: "Always"}
	switch k := p.Key.Public().(type) {
	case *rsa.PublicKey:
		out.Spec.PrivateKey.Algorithm, out.Spec.PrivateKey.Size = "RSA", k.N.BitLen()
		out.Spec.Usages = append(out.Spec.Usages, "key encipherment")
	case *ecdsa.PublicKey:
		out.Spec.PrivateKey.Algorithm, out.Spec.PrivateKey.Size = "ECDSA", k.Curve.Params().BitSize
	case ed25519.PublicKey:
		out.Spec.PrivateKey.Algorithm = "Ed25519"
	}
	for _, u := range s.Usages {
		out.Spec.Usages = append(out.Spec.Usages, string(u))
	}
	return out
}

// lifetime is a validity in cert-manager's words, whole hours without the five
// minutes that a certificate begins early, and when to renew: a month before
// the end, or a third of what is shorter.
func lifetime(d time.Duration) (duration, renewBefore string) {
	hours := max(int(d/time.Hour), 3)
	return fmt.Sprintf("%dh", hours), fmt.Sprintf("%dh", min(720, hours/3))
}

// tlsSecret is the profile's Secret that holds nothing but the slot's
// certificate and key, as cert-manager writes them.
func (j *job) tlsSecret(id topology.SlotID) (topology.Secret, bool) {
	for _, s := range j.t.Secrets {
		if s.Type != "kubernetes.io/tls" || len(s.Data) != 2 {
			continue
		}
		if s.Data[0].Slot == id && s.Data[1].Slot == id {
			return s, true
		}
	}
	return topology.Secret{}, false
}
