package layout

import (
	"encoding/base64"
	"fmt"
	"iter"
	"slices"
	"time"

	"certwright/certs/topology"
)

const kubeletCSRDir = "kubelet-csr/"

// The signers of the Kubernetes API that kubelets ask (certificates.k8s.io).
const (
	clientSigner  = "kubernetes.io/kube-apiserver-client-kubelet"
	servingSigner = "kubernetes.io/kubelet-serving"
)

// kubeletCSR hands the certificates of kubelets over to the cluster itself: the
// controller manager signs their requests with kube's CA, and for nothing else.
func kubeletCSR(j *job) iter.Seq2[File, error] {
	return func(yield func(File, error) bool) {
		k, ca, err := j.kubelets()
		if err != nil {
			yield(File{Path: kubeletCSRDir}, err)
			return
		}
		text := func(name string, list []parameter) File {
			data, _ := flagLines(list) // writing to memory does not fail
			return File{Path: kubeletCSRDir + name, Data: data, Mode: modePublic, Kind: KindConfig}
		}
		config, err := toYAML(struct {
			APIVersion string `yaml:"apiVersion"`
			Kind       string `yaml:"kind"`
			Rotate     bool   `yaml:"rotateCertificates"`
			Serving    bool   `yaml:"serverTLSBootstrap"`
		}{"kubelet.config.k8s.io/v1beta1", "KubeletConfiguration", true, true})
		if err != nil {
			yield(File{Path: kubeletCSRDir}, err)
			return
		}
		files := []File{
			text("kube-controller-manager.txt", j.signerFlags(ca)),
			text("kube-apiserver.txt", []parameter{{name: "--enable-bootstrap-token-auth", value: "true"}}),
			text("kubelet.txt", []parameter{
				{name: "--bootstrap-kubeconfig", value: j.deployed("bootstrap-kubelet.conf")}, {name: "--kubeconfig", value: j.deployed(k.File)},
			}),
			{Path: kubeletCSRDir + "kubelet.yaml", Data: config, Mode: modePublic, Kind: KindConfig},
		}
		for _, make := range []func() (File, error){j.kubeletRights, func() (File, error) { return j.bootstrapConfig(k) }} {
			f, err := make()
			if err != nil {
				yield(f, err)
				return
			}
			files = append(files, f)
		}
		for _, f := range files {
			if !yield(f, nil) {
				return
			}
		}
	}
}

// kubelets are the kubeconfig that kubelets have, without its node, and the CA
// that signs for them.
func (j *job) kubelets() (topology.Kubeconfig, *topology.Slot, error) {
	for _, k := range j.t.Kubeconfigs {
		s, ca := j.t.Slot(k.Slot), j.t.CASlot(k.CA)
		if s == nil || ca == nil || !slices.ContainsFunc(s.Consumers, func(c topology.Consumer) bool { return c.Component == "kubelet" && c.As == topology.AsKubeconfig }) {
			continue
		}
		switch {
		case ca.Files.Cert == "" || ca.Files.Key == "":
			continue
		case j.set.Pairs[ca.ID].Key == nil:
			return k, ca, fmt.Errorf("render the layout kubelet-csr: the controller manager signs with the key of %s, which was not handed over; hand it over, or leave the layout out", ca.ID)
		}
		return k, ca, nil
	}
	return topology.Kubeconfig{}, nil, j.foreign("kubelet-csr")
}

// signerFlags let the controller manager sign for kubelets alone. They take the
// place of --cluster-signing-cert-file and --cluster-signing-key-file, beside
// which it does not start, and which would have it sign whatever is approved.
func (j *job) signerFlags(ca *topology.Slot) []parameter {
	cert := ca.Files.Cert
	if j.signsApart(ca) {
		cert = signerFile(cert)
	}
	var out []parameter
	for _, signer := range []string{"kubelet-client", "kubelet-serving"} {
		out = append(out,
			parameter{name: "--cluster-signing-" + signer + "-cert-file", value: j.deployed(cert)},
			parameter{name: "--cluster-signing-" + signer + "-key-file", value: j.deployed(ca.Files.Key)})
	}
	return append(out,
		parameter{name: "--cluster-signing-duration", value: j.kubeletLife()},
		parameter{name: "--controllers", value: "*,bootstrapsigner,tokencleaner"})
}

// kubeletLife is the life that kubelets' certificates have in this set, in hours.
func (j *job) kubeletLife() string {
	for i := range j.t.Slots {
		s := &j.t.Slots[i]
		if c := j.set.Pairs[s.ID].Leaf(); s.Kind == topology.Leaf && c != nil && slices.ContainsFunc(s.Consumers, func(c topology.Consumer) bool { return c.Component == "kubelet" && c.As == topology.AsKubeconfig }) {
			return fmt.Sprintf("%dh", max(1, int(c.NotAfter.Sub(c.NotBefore)/time.Hour)))
		}
	}
	return "8760h"
}

// roleBinding gives a group a role of the cluster.
type roleBinding struct {
	APIVersion string   `yaml:"apiVersion"`
	Kind       string   `yaml:"kind"`
	Metadata   metadata `yaml:"metadata"`
	RoleRef    struct {
		APIGroup string `yaml:"apiGroup"`
		Kind     string `yaml:"kind"`
		Name     string `yaml:"name"`
	} `yaml:"roleRef"`
	Subjects []rbacSubject `yaml:"subjects"`
}

type rbacSubject struct {
	Kind     string `yaml:"kind"`
	Name     string `yaml:"name"`
	APIGroup string `yaml:"apiGroup"`
}

// kubeletRights let bootstrap tokens ask for a client certificate, and have
// such requests, and kubelets' renewals of them, approved by themselves.
func (j *job) kubeletRights() (File, error) {
	f := File{Path: kubeletCSRDir + "rbac.yaml", Mode: modePublic, Kind: KindConfig}
	const group = "rbac.authorization.k8s.io"
	for _, r := range []struct{ name, role, group string }{
		{"kubelet-bootstrap", "system:node-bootstrapper", "system:bootstrappers"},
		{"approve-new-kubelets", "system:certificates.k8s.io:certificatesigningrequests:nodeclient", "system:bootstrappers"},
		{"approve-kubelet-renewals", "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient", "system:nodes"},
	} {
		b := roleBinding{APIVersion: group + "/v1", Kind: "ClusterRoleBinding", Metadata: metadata{Name: "certwright:" + r.name, Labels: labels()}}
		b.RoleRef.APIGroup, b.RoleRef.Kind, b.RoleRef.Name = group, "ClusterRole", r.role
		b.Subjects = []rbacSubject{{"Group", r.group, group}}
		if err := f.add(b); err != nil {
			return f, err
		}
	}
	return f, nil
}

// bootstrapConfig is the kubeconfig of a node that has no certificate yet. The
// token is a secret of a day, so its place is left open.
func (j *job) bootstrapConfig(k topology.Kubeconfig) (File, error) {
	f := File{Path: kubeletCSRDir + "bootstrap-kubelet.conf", Mode: modePublic, Kind: KindConfig}
	cluster := namedCluster{Name: k.Cluster}
	cluster.Cluster.Server = k.Server
	for _, other := range j.t.Kubeconfigs {
		if other.CA == k.CA && other.Node == "" { // a control plane's kubelet dials its own API server
			cluster.Cluster.Server = other.Server
			break
		}
	}
	cluster.Cluster.CA = base64.StdEncoding.EncodeToString(certificates(j.set.Anchors(k.CA)...))
	context := namedContext{Name: "bootstrap@" + k.Cluster}
	context.Context.Cluster, context.Context.User = k.Cluster, "bootstrap"
	user := map[string]any{"name": "bootstrap", "user": map[string]string{"token": "TOKEN"}}
	var err error
	f.Data, err = toYAML(struct {
		APIVersion     string           `yaml:"apiVersion"`
		Kind           string           `yaml:"kind"`
		Clusters       []namedCluster   `yaml:"clusters"`
		Users          []map[string]any `yaml:"users"`
		Contexts       []namedContext   `yaml:"contexts"`
		CurrentContext string           `yaml:"current-context"`
	}{"v1", "Config", []namedCluster{cluster}, []map[string]any{user}, []namedContext{context}, context.Name})
	return f, err
}

// kubeletCSRSteps say who does what, and what nobody does by himself.
func (j *job) kubeletCSRSteps(p *page) {
	p.section("Kubelets that ask the cluster")
	p.text("%s lets kubelets get and renew their own certificates through the API %s, from the CA of this set; kube-controller-manager signs. "+
		"A kubelet that has its kubeconfig from this set needs no token: it renews what it has before that ends.", code(kubeletCSRDir), code("certificates.k8s.io"))
	p.table([]string{"file", "for"}, [][]string{
		{code(kubeletCSRDir + "kube-controller-manager.txt"), "kube-controller-manager, in place of " + code("--cluster-signing-cert-file") + " and " + code("--cluster-signing-key-file") + ": beside these it does not start, and with these it signs whatever anybody approves"},
		{code(kubeletCSRDir + "kube-apiserver.txt"), "API servers, where nodes join with bootstrap tokens"},
		{code(kubeletCSRDir + "kubelet.yaml"), "the configuration of every kubelet, in place of " + code("tlsCertFile") + " and " + code("tlsPrivateKeyFile")},
		{code(kubeletCSRDir + "kubelet.txt"), "kubelets of nodes that join"},
		{code(kubeletCSRDir + "bootstrap-kubelet.conf"), "nodes that join; write a token in place of TOKEN, and give the file mode 0600 then"},
		{code(kubeletCSRDir + "rbac.yaml"), "the cluster: who may ask, and what is approved without a person. kubeadm has its own, and needs none of it"},
	})
	p.table([]string{"signer", "signs", "approved by"}, [][]string{
		{code(clientSigner), "what a kubelet presents to API servers", "kube-controller-manager, with rbac.yaml"},
		{code(servingSigner), "what a kubelet serves with", "nobody by itself: a person, or a controller of yours"},
	})
	p.commands(
		"kubectl apply --server-side -f "+j.arg(kubeletCSRDir+"rbac.yaml"),
		"kubeadm token create --ttl 24h   # or a Secret of type bootstrap.kubernetes.io/token",
		"kubectl get csr --field-selector spec.signerName="+servingSigner,
		"kubectl get csr NAME -o jsonpath='{.spec.request}' | base64 -d | openssl req -noout -subject -ext subjectAltName",
		"kubectl certificate approve NAME",
	)
	p.text("Approve a request of %s only when its user and its common name are %s, its organization is %s, and each name and address is that node's own: "+
		"the signer compares the first two, and nobody the names. Until it is approved, that kubelet serves no logs and takes no exec; it asks anew from time to time, and at each renewal.",
		code(servingSigner), code("system:node:NAME"), code("system:nodes"))
	p.text("What certwright keeps doing: the CA, the certificates of everything but kubelets, and their proof. Whoever holds a node's key can ask for what that node may have; whoever approves carelessly gives away more.")
}
